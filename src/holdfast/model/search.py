"""What of the deliveries is meant: one predicate for lists, counts and actions alike."""

from typing import Final, Literal

import msgspec

from holdfast.model.delivery import Delivery
from holdfast.model.message import NEVER

ChoiceField = Literal[
    "id",
    "message",
    "account",
    "status",
    "recipient",
    "flow",
    "step",
    "class",
    "code",
    "gate",
    "group",
    "assignee",
    "parent",
]
"""Fields that are one of some words."""
SpanField = Literal["created", "http", "attempts", "priority", "value"]
"""Fields that are numbers; `created` is an instant in ms."""

LOWEST: Final = -1e18
HIGHEST: Final = 1e18
LOOK: Final = 10_000
"""Most rows that a page of a list looks at."""
LOOK_COUNTING: Final = 10_000
"""Most rows that a count fetches; of an index that tells by itself it looks at more."""


class Choice(msgspec.Struct, frozen=True, gc=False):
    """A field is one of these words, or (`negated`) none of them; an absent one is none of them."""

    field: ChoiceField
    words: tuple[str, ...]
    negated: bool = False


class Span(msgspec.Struct, frozen=True, gc=False):
    """A field lies between two numbers, both allowed, or (`negated`) does not.

    An absent one lies nowhere, so only the negated span holds for it.
    """

    field: SpanField
    low: float = LOWEST
    high: float = HIGHEST
    negated: bool = False


class Predicate(msgspec.Struct, frozen=True, gc=False):
    """What must hold of a delivery: all of it. Empty: every delivery is meant.

    Attributes:
        choices: each field at most once plain and once negated.
        spans: each field at most once plain and once negated.
        texts: each is part of the reason of the last failure; ASCII case does not count.
        tokens: of each group at least one stands for a field of the payload: `vault.digest` of
            account, pointer and value.
    """

    choices: tuple[Choice, ...] = ()
    spans: tuple[Span, ...] = ()
    texts: tuple[str, ...] = ()
    tokens: tuple[tuple[bytes, ...], ...] = ()


class Search(msgspec.Struct, frozen=True, gc=False):
    """A page of deliveries, newest first.

    Attributes:
        where: which.
        account: only this tenant's; None: of all, for who may see all.
        below: only ids below this one: the cursor.
        floor: only this id and above.
        limit: most deliveries.
        look: most rows that are looked at; counts look at more of what an index tells by itself.
    """

    where: Predicate = Predicate()
    account: str | None = None
    below: str | None = None
    floor: str | None = None
    limit: int = 100
    look: int = LOOK


class Found(msgspec.Struct, frozen=True):
    """Deliveries, newest first.

    Attributes:
        deliveries: what matched; fewer than asked for may be all of what was looked at.
        cursor: `below` of the next page, None: everything was looked at.
    """

    deliveries: list[Delivery]
    cursor: str | None = None


class Total(msgspec.Struct, frozen=True):
    """How many deliveries match; `more`: at least so many, as not all were looked at."""

    count: int
    more: bool = False


def of_message(message_id: str, *choices: Choice) -> Predicate:
    """Return what means the deliveries of a message."""
    return Predicate((Choice("message", (message_id,)), *choices))


def bounds(where: Predicate) -> tuple[str | None, str | None]:
    """Return (`floor`, `below`) of the ids that a predicate can mean; None: any.

    An id begins with the time of acceptance in ms (`model.identity`).
    """
    for span in where.spans:
        if span.field == "created" and not span.negated:
            floor = None if span.low <= 0 else f"dlv_{round(span.low):012x}"
            below = None if span.high >= NEVER else f"dlv_{round(span.high) + 1:012x}"
            return floor, below
    return None, None
