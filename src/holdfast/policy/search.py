"""The language of searches: text in, one predicate out; and what a predicate means, in Python.

    status:dead recipient:acme,beta -class:auth http:500..599 age:>1h "schema" /email:a@b.example

Terms are joined by "and", words after a comma by "or"; `-` negates a term. Text without a
qualifier is looked for in the reason of the last failure.
"""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from holdfast.errors import InvalidInput, QueryError
from holdfast.model.attempt import FailureClass
from holdfast.model.delivery import Delivery, Status
from holdfast.model.message import NEVER
from holdfast.model.search import HIGHEST, LOWEST, Choice, Predicate, Search, Span, bounds
from holdfast.policy import pointer

LENGTH_MAX: Final = 2_000
"""Longest query, in characters."""
TERMS_MAX: Final = 32
WORDS_MAX: Final = 50
"""Most words of a term."""
WORD_MAX: Final = 512

FAILING: Final = Choice("status", (Status.PENDING, Status.DEAD))
"""What a group holds: `group:` alone means these; with `status:` whatever that says."""
CHOICES: Final = {
    "id": (),
    "message": (),
    "account": (),
    "status": tuple(Status),
    "recipient": (),
    "flow": (),
    "step": (),
    "class": tuple(FailureClass),
    "code": (),
    "gate": (),
    "group": (),
    "assignee": (),
    "parent": (),
}
"""Qualifier -> its words; none: any."""
SPANS: Final = {
    "age": (0.0, float(NEVER)),
    "http": (100.0, 599.0),
    "attempts": (0.0, 1e9),
    "priority": (0.0, 9.0),
    "value": (-1e15, 1e15),
}
"""Qualifier -> the numbers that may be given."""
NOBODY: Final = "nobody"
"""`assignee:nobody` finds what nobody looks at; the predicate then has the empty word."""
UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
"""Units of an age, in ms."""
_SPACE: Final = " \t\r\n"
_FORMS: Final = {
    "age": "an age such as >1h, <30m, 1d..2d; units: s, m, h, d, w",
    "http": "100 to 599, such as 503, >=500, 500..599",
    "attempts": "0 to 1000000000, such as 3, >3, 1..5",
    "priority": "0 to 9, such as 5, >=7",
    "value": "a number of at most 15 digits, such as >=100, 10..20.50",
}

Digest = Callable[[str, str], tuple[bytes, ...]]
"""Pointer and word -> what may stand in the index for it: one token per account."""


class Term(NamedTuple):
    """A part of a query.

    Attributes:
        position: of its first character, from 1.
        qualifier: what stands before the colon, None: text.
        words: with their positions.
        negated: it begins with `-`.
    """

    position: int
    qualifier: str | None
    words: tuple[tuple[int, str], ...]
    negated: bool


def parse(text: str, now: int, *, fields: Collection[str] = (), digest: Digest) -> Predicate:
    """Return what a query means at `now`: ages become instants, payload values become tokens.

    Args:
        text: the query; an empty one means every delivery.
        now: ms since the epoch.
        fields: JSON pointers of the payload that can be searched.
        digest: makes tokens.

    Raises:
        QueryError: names position, qualifier and what is allowed.
    """
    choices: dict[tuple[str, bool], Choice] = {}
    spans: dict[tuple[str, bool], Span] = {}
    texts: list[str] = []
    tokens: list[tuple[bytes, ...]] = []
    for term in _terms(text):
        name = term.qualifier
        if name is None:
            texts.append(_text(term))
        elif name.startswith("/"):
            tokens.append(_tokens(term, name, fields, digest))
        elif name in CHOICES:
            _once(term, name, choices)
            choices[name, term.negated] = _choice(term, name)
        elif name in SPANS:
            _once(term, name, spans)
            spans[name, term.negated] = _span(term, name, now)
        else:
            known = ", ".join((*CHOICES, *SPANS, *sorted(fields)))
            raise QueryError(term.position, "qualifier", name[:80], known)
    if ("group", False) in choices and ("status", False) not in choices:
        choices["status", False] = FAILING
    return Predicate(tuple(choices.values()), tuple(spans.values()), tuple(texts), tuple(tokens))


def both(one: Predicate, other: Predicate) -> Predicate:
    """Return what both mean; a status of `other` says which deliveries of a group are meant.

    Raises:
        InvalidInput: both say something about one field.
    """
    choices = one.choices
    if _said(one, "group") and _said(other, "status"):
        choices = tuple(each for each in choices if each != FAILING)
    choices, spans = choices + other.choices, one.spans + other.spans
    seen: set[tuple[str, bool]] = set()
    for choice in choices:
        _unseen((choice.field, choice.negated), seen)
    for span in spans:
        _unseen((span.field, span.negated), seen)
    return Predicate(choices, spans, one.texts + other.texts, one.tokens + other.tokens)


def standing(where: Predicate, status: Status) -> Predicate | None:
    """Return the predicate with only this status, None: it asks for others."""
    given = _said(where, "status")
    if given and status not in given[0].words:
        return None
    kept = tuple(each for each in where.choices if each not in given)
    return msgspec.structs.replace(where, choices=(*kept, Choice("status", (status,))))


def _said(where: Predicate, field: str) -> list[Choice]:
    return [each for each in where.choices if each.field == field and not each.negated]


def _unseen(name: tuple[str, bool], seen: set[tuple[str, bool]]) -> None:
    if name in seen:
        allowed = "once: in q or as a parameter of its own"
        raise InvalidInput(name[0], "given twice", allowed)
    seen.add(name)


def narrowed(asked: Search) -> Search:
    """Return the search with the bounds of ids that its time of acceptance means."""
    floor, below = bounds(asked.where)
    return msgspec.structs.replace(
        asked,
        floor=max(filter(None, (floor, asked.floor)), default=None),
        below=min(filter(None, (below, asked.below)), default=None),
    )


def by_counters(where: Predicate) -> bool:
    """Tell whether counters by recipient and status say exactly how many match."""
    fields = {each.field for each in where.choices}
    return not (where.spans or where.texts or where.tokens) and fields <= {"status", "recipient"}


def counted(where: Predicate, counts: Mapping[str, Any]) -> int:
    """Return how many match, from the counters by recipient."""
    return sum(
        getattr(counts[name], status)
        for name in counts
        for status in Status
        if _chosen(where, "recipient", name) and _chosen(where, "status", status)
    )


def _chosen(where: Predicate, field: str, word: str) -> bool:
    own = [each for each in where.choices if each.field == field]
    return all((word in each.words) != each.negated for each in own)


def matches(where: Predicate, delivery: Delivery, value: float, tokens: Collection[bytes]) -> bool:
    """Tell whether a delivery is meant; what stores do in their own language.

    Args:
        where: the predicate.
        delivery: the delivery.
        value: worth of its message.
        tokens: what the index holds for it.
    """
    reason = ascii_lower(delivery.reason or "")
    return (
        all((_word(each, delivery) in each.words) != each.negated for each in where.choices)
        and all(_lies(each, delivery, value) != each.negated for each in where.spans)
        and all(ascii_lower(text) in reason for text in where.texts)
        and all(not tokens_of.isdisjoint(tokens) for tokens_of in map(set, where.tokens))
    )


def ascii_lower(text: str) -> str:
    """Return the text as it is compared: only A to Z become small, as in every database."""
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


_NAMES: Final = {
    "message": "message_id",
    "class": "failure_class",
    "gate": "hold_gate",
    "group": "fingerprint",
}
"""Qualifier -> the delivery's field, where it has another name."""


def _word(choice: Choice, delivery: Delivery) -> str:
    found: str | None = getattr(delivery, _NAMES.get(choice.field, choice.field))
    return found or ""


def _lies(span: Span, delivery: Delivery, value: float) -> bool:
    name = {"created": "created_at", "http": "http_status"}.get(span.field, span.field)
    found = value if name == "value" else getattr(delivery, name)
    return found is not None and span.low <= found <= span.high


# -- reading --------------------------------------------------------------------------------


def _terms(text: str) -> list[Term]:
    if len(text) > LENGTH_MAX:
        raise QueryError(LENGTH_MAX + 1, "length", f"{len(text)} characters", f"{LENGTH_MAX}")
    for at, each in enumerate(text, 1):
        if (not each.isprintable() and each not in _SPACE) or "\ud800" <= each <= "\udfff":
            raise QueryError(at, "text", repr(each), "printable characters")
    reader = _Reader(text)
    terms: list[Term] = []
    while reader.skip():
        terms.append(reader.term())
        if len(terms) > TERMS_MAX:
            raise QueryError(terms[-1].position, "terms", "one too many", f"at most {TERMS_MAX}")
    return terms


class _Reader:
    """Walks over a query once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def skip(self) -> bool:
        """Go over spaces; tell whether something is left."""
        while self._peek() in _SPACE and self._peek():
            self._at += 1
        return self._at < len(self._text)

    def term(self) -> Term:
        """Read one term."""
        position = self._at + 1
        negated = self._peek() == "-"
        self._at += negated
        if self._peek() == '"':
            return Term(position, None, self._words(), negated)
        start = self._at
        while self._peek() not in (":", '"', ",", "", *_SPACE):
            self._at += 1
        name = self._text[start : self._at]
        if self._peek() == ":" and name:
            self._at += 1
            return Term(position, name, self._words(), negated)
        self._at = start
        return Term(position, None, self._words(), negated)

    def _words(self) -> tuple[tuple[int, str], ...]:
        words = [self._one()]
        while self._peek() == ",":
            self._at += 1
            words.append(self._one())
            if len(words) > WORDS_MAX:
                raise QueryError(self._at, "words", "one too many", f"at most {WORDS_MAX}")
        if self._peek() and self._peek() not in _SPACE:
            raise QueryError(self._at + 1, "text", self._peek(), "a space, or a comma and a word")
        return tuple(words)

    def _one(self) -> tuple[int, str]:
        position = self._at + 1
        word = self._quoted() if self._peek() == '"' else self._bare()
        if not 1 <= len(word) <= WORD_MAX:
            allowed = f"1 to {WORD_MAX} characters"
            raise QueryError(position, "word", word[:80], allowed)
        return position, word

    def _bare(self) -> str:
        start = self._at
        while self._peek() not in (",", '"', "", *_SPACE):
            self._at += 1
        return self._text[start : self._at]

    def _quoted(self) -> str:
        opened = self._at + 1
        self._at += 1
        found: list[str] = []
        while (each := self._peek()) != '"':
            if each == "\\":
                self._at += 1
                each = self._peek()
            if not each:
                raise QueryError(opened, "text", "an open quotation", 'a closing "')
            found.append(each)
            self._at += 1
        self._at += 1
        return "".join(found)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]


# -- terms ----------------------------------------------------------------------------------


def _once(term: Term, name: str, seen: Collection[tuple[str, bool]]) -> None:
    if (name, term.negated) in seen:
        how = f"a range: {_FORMS[name]}" if name in SPANS else f"{name}:one,other"
        raise QueryError(term.position, name, "given twice", how)


def _text(term: Term) -> str:
    if term.negated or len(term.words) > 1:
        given = ",".join(word for _, word in term.words)[:80]
        raise QueryError(term.position, "text", given, "plain text, or a qualifier and a colon")
    return term.words[0][1]


def _choice(term: Term, name: str) -> Choice:
    known = CHOICES[name]
    for position, word in term.words:
        if known and word not in known:
            raise QueryError(position, name, word[:80], ", ".join(known))
    words = tuple(dict.fromkeys(word for _, word in term.words))
    if name == "assignee":
        words = tuple("" if word == NOBODY else word for word in words)
    return Choice(name, words, term.negated)  # type: ignore[arg-type]  # a key of CHOICES


def _tokens(term: Term, name: str, fields: Collection[str], digest: Digest) -> tuple[bytes, ...]:
    if name not in fields:
        known = ", ".join(sorted(fields)) or "none; name some in flows.NAME.search"
        raise QueryError(term.position, "field", name[:80], known)
    if term.negated:
        raise QueryError(term.position, name, "-", "a field of the payload cannot be negated")
    found = [each for _, word in term.words for each in digest(name, pointer.word(word))]
    return tuple(dict.fromkeys(found))


def _span(term: Term, name: str, now: int) -> Span:
    if len(term.words) > 1:
        raise QueryError(term.words[1][0], name, term.words[1][1][:80], _FORMS[name])
    position, word = term.words[0]
    low, high = _ends(position, word, name)
    if name != "age":
        return Span(name, low, high, term.negated)  # type: ignore[arg-type]  # a key of SPANS
    # The older, the lower the instant.
    first = LOWEST if high == HIGHEST else now - high
    last = HIGHEST if low == LOWEST else now - low
    return Span("created", first, last, term.negated)


def _ends(position: int, word: str, name: str) -> tuple[float, float]:
    """Return the lowest and the highest number that a word allows."""
    whole = name != "value"
    for sign in (">=", "<=", ">", "<"):
        if word.startswith(sign):
            number = _number(position, word.removeprefix(sign), name)
            if sign == ">":
                number = number + 1 if whole else math.nextafter(number, math.inf)
            if sign == "<":
                number = number - 1 if whole else math.nextafter(number, -math.inf)
            return (number, HIGHEST) if ">" in sign else (LOWEST, number)
    first, dots, last = word.partition("..")
    low = _number(position, first, name)
    high = _number(position, last, name) if dots else low
    if high < low:
        raise QueryError(position, name, word[:80], "the lower number first")
    return low, high


def _number(position: int, text: str, name: str) -> float:
    low, high = SPANS[name]
    unit = UNITS.get(text[-1:], 0) if name == "age" else 1
    plain = text[:-1] if name == "age" else text
    digits = plain.removeprefix("-") if name == "value" else plain
    simple = digits.isascii() and digits.replace(".", "", name in {"value", "age"}).isdecimal()
    if not unit or not simple or len(digits) > 20:
        raise QueryError(position, name, text[:80], _FORMS[name])
    number = float(plain) * unit if name in {"value", "age"} else float(int(plain))
    number = float(round(number)) if name == "age" else number
    if not low <= number <= high:
        raise QueryError(position, name, text[:80], _FORMS[name])
    return number
