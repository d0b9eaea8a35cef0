"""Searches: which index drives one, and what else must hold; the same for every backend.

A search walks down one index in the order of ids and looks at a limited number of its rows, so
its cost has a bound whatever is asked: see docs/decisions/0021-search.md.
"""

from typing import Any, Final

import msgspec

from holdfast.model.delivery import Delivery, Status
from holdfast.model.message import NEVER
from holdfast.model.search import Choice, Found, Predicate, Search, Span
from holdfast.policy.search import ascii_lower

LAST_ID: Final = "\U0010ffff"
"""Sorts after every id."""
_FEW: Final = frozenset({"by_id", "by_message", "by_parent"})
"""Walks that end after a few rows by themselves."""
WALKS: Final = (
    ("by_id", frozenset({"id"})),
    ("by_message", frozenset({"message"})),
    ("by_parent", frozenset({"parent"})),
    ("by_token", frozenset({"token"})),
    ("by_assignee", frozenset({"assignee", "dead"})),
    ("by_group", frozenset({"group", "failing"})),
    ("by_dead", frozenset({"dead", "recipient"})),
    ("by_review", frozenset({"dead"})),
    ("by_status", frozenset({"status"})),
    ("by_class", frozenset({"class"})),
    ("by_recipient", frozenset({"recipient"})),
    ("by_flow", frozenset({"flow"})),
    ("by_time", frozenset[str]()),
)
"""Narrowest first: the walk, and what must be given for it."""

BY_GROUPS: Final = "by_groups"
"""The walk of a tally: down each group in turn ..."""
AMONG: Final = {
    "group": "among",
    "recipient": "among_recipient",
    "flow": "among_flow",
    "step": "among_step",
    "account": "among_account",
    "scope": "among_scope",
}
"""... or only those of which such a choice holds: what all deliveries of a group have."""
_AMONG: Final = frozenset(AMONG.values())
EVERY: Final = "every"
"""The line of a tally in which every row of a group matches."""
_ALIKE: Final = (
    "id", "recipient", "class", "code", "http", "flow", "step", "account", "priority", "created",
    "scope",
)  # fmt: skip
_FAILING: Final = _AMONG.union(
    f"{sign}{name}" for sign in ("", "not_") for name in (*_ALIKE, "status", "group", "value")
)
_COVERED: Final = {
    "by_review": frozenset(
        f"{sign}{name}" for sign in ("", "not_") for name in (*_ALIKE, "attempts")
    ),
    "by_group": _FAILING,
    BY_GROUPS: _FAILING,
}
"""What the index of a walk has by itself."""
_DEAD: Final = frozenset({"by_dead", "by_review", "by_assignee"})
"""Walks over dead ones only."""
FAILING: Final = frozenset({Status.PENDING, Status.DEAD})
"""Where a delivery of a group stands."""
_CHEAP: Final = 20
"""So many rows of an index alone cost as much as one that must be fetched, or less."""

Values = dict[str, Any]


class Plan(msgspec.Struct, frozen=True):
    """How a search is asked.

    Attributes:
        walk: name of the walk.
        lines: names of the query's lines that are used: those of the walk, and of what else must
            hold.
        values: by name; words are lists, tokens are (group, token).
        whole: every row of the walk matches.
        covered: the index alone tells which rows match.
    """

    walk: str
    lines: frozenset[str]
    values: Values
    whole: bool
    covered: bool

    @property
    def few(self) -> bool:
        """Tell whether the walk is short by itself."""
        return self.walk in _FEW


def plan(search: Search) -> Plan:
    """Choose the walk and name what else must hold."""
    where = search.where
    drivers = _drivers(where)
    walk, needs = next(each for each in WALKS if each[1] <= drivers.keys())
    return _plan(search, walk, needs, drivers)


def grouped(search: Search) -> Plan:
    """Return how the failing deliveries of each group are counted that match."""
    return _plan(search, BY_GROUPS, frozenset(), {})


def grouped_look(search: Search, plan: Plan) -> int:
    """Return how many rows of each group are looked at."""
    return search.look if plan.covered else max(1, search.look // _CHEAP)


def _plan(search: Search, walk: str, needs: frozenset[str], drivers: Values) -> Plan:
    where = search.where
    rest: Values = {}
    for choice in where.choices:
        if not _driven(choice, walk, needs):
            rest[_line(choice, walk)] = list(choice.words)
    for span in where.spans:
        rest[_name(span)] = None
    if where.texts:
        rest["texts"] = [ascii_lower(text) for text in where.texts]
    if tokens := _tokens(where, drivers["token"] if walk == "by_token" else None):
        rest["tokens"] = tokens
    if search.account is not None:
        rest[AMONG["scope"] if walk == BY_GROUPS else "scope"] = search.account
    values = {
        **rest,
        **_ends(where.spans),
        "groups": len({group for group, _ in rest.get("tokens", ())}),
        "driver": drivers.get(_driver(walk)),
        "below": search.below or LAST_ID,
        "floor": search.floor or "",
    }
    table = "by_token" if walk == "by_token" else "deliveries"
    covered = rest.keys() <= _COVERED.get(walk, frozenset())
    whole = rest.keys() <= _AMONG
    return Plan(walk, frozenset({walk, table, *rest}), values, whole, covered)


def page_look(search: Search, plan: Plan) -> int:
    """Return how many rows a page looks at: no more than it holds when all of them match."""
    return min(search.look, search.limit) if plan.whole else count_look(search, plan)


def count_look(search: Search, plan: Plan) -> int:
    """Return how many rows a count looks at: more, where no row need be fetched."""
    return search.look * _CHEAP if plan.covered else search.look


def found(search: Search, rows: list[Delivery], floor: str | None) -> Found:
    """Return the page with its cursor; `floor` is the last id looked at, None: that was all."""
    return Found(rows, rows[-1].id if len(rows) == search.limit else floor)


def _name(term: Choice | Span) -> str:
    return f"not_{term.field}" if term.negated else term.field


def _line(choice: Choice, walk: str) -> str:
    """Return the line that a choice asks for; of a tally it may say which groups are walked."""
    name = _name(choice)
    return AMONG.get(name, name) if walk == BY_GROUPS else name


def _drivers(where: Predicate) -> Values:
    """Return what a walk may be driven by: single words, and few ids."""
    given: Values = {}
    for choice in where.choices:
        if choice.negated:
            continue
        if choice.field in {"id", "message"}:
            given[choice.field] = list(choice.words)
        elif choice.field == "status" and FAILING.issuperset(choice.words):
            given["failing"] = True
        if len(choice.words) == 1 and choice.words[0]:  # "" stands for none at all
            given.setdefault(choice.field, choice.words[0])
    if given.get("status") == Status.DEAD:
        given["dead"] = True
    if given.get("status") == Status.DELIVERED:
        del given["status"]  # most are: an index of them would cost more than it finds
    token = next((group[0] for group in where.tokens if len(group) == 1), None)
    return given if token is None else {**given, "token": token}


def _driver(walk: str) -> str:
    return "recipient" if walk == "by_dead" else walk.removeprefix("by_")


def _driven(choice: Choice, walk: str, needs: frozenset[str]) -> bool:
    """Tell whether the walk itself sees to a choice."""
    status = choice.field == "status" and not choice.negated
    if status and walk in _DEAD:
        return True
    if status and walk in {"by_group", BY_GROUPS}:
        return FAILING.issubset(choice.words)
    return not choice.negated and choice.field in needs


def _tokens(where: Predicate, driver: bytes | None) -> list[tuple[int, bytes]]:
    """Return the tokens that must be there besides, with the number of their group."""
    return [
        (group, token)
        for group, tokens in enumerate(where.tokens)
        if tokens != (driver,)
        for token in tokens
    ]


def _ends(spans: tuple[Span, ...]) -> Values:
    values: Values = {}
    for span in spans:
        low, high = max(span.low, -NEVER), min(span.high, NEVER)
        whole = span.field != "value"
        values[f"{_name(span)}_low"] = int(low) if whole else low
        values[f"{_name(span)}_high"] = int(high) if whole else high
    return values
