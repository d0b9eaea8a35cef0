"""Which failures are the same: a pure function of what a try came to, and why it says so.

A fingerprint is `g1_` and 16 hex digits of a digest over failure class, code, masked reason,
recipient, flow and step. The number is the version of the method: a later method makes other ids
and never moves what an earlier one has grouped. The same text from two recipients is two groups,
as two partners mend their faults apart.
"""

import functools
import hashlib
import re
from typing import Final

from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.delivery import Delivery
from holdfast.model.group import Group, Sighting
from holdfast.policy.decide import Code

VERSION: Final = 1
READ_MAX: Final = 500
"""Characters of a reason that are looked at."""
TEMPLATE_MAX: Final = 300
"""Characters of a masked reason; what follows seldom says what went wrong."""
CODE_MAX: Final = 100
_DIGEST_BYTES: Final = 8
_CACHE: Final = 4_096
"""Reasons repeat; so many are not masked anew."""

_WORD: Final = re.compile(
    r"<[a-z]{1,8}>|[a-z][a-z0-9+.-]{0,20}://\S{1,300}"
    r"|[\w#](?:[\w#.:@/+'-]{0,60}[\w#/])?|\S"
)
"""A mask, an address, a word with what joins it (hosts, times, ids, paths), or one character."""
_HOST: Final = re.compile(
    r"[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:[a-z]{2,4}|local|internal|example)(?::[0-9]{1,5})?"
)
_NUMBER: Final = re.compile(r"[0-9]+(?:[.,:][0-9]+)*")
_DIGITS: Final = frozenset("0123456789")
_HEX: Final = frozenset("0123456789abcdef-")
_QUOTES: Final = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u00ab": "\u00bb"}
_MARKS: Final = frozenset({*_QUOTES, *_QUOTES.values()})
_SILENT: Final = frozenset({Result.SUCCESS, Result.SKIP})
_MASKS: Final = frozenset({"<value>", "<url>", "<email>", "<host>", "<id>", "#"})
_ID: Final = 8
"""Hexadecimal words from this length on are ids, ..."""
_LONG: Final = 16
"""... and any with a digit from this one on."""


def mask(text: str) -> str:
    """Return a reason without what makes each one unique; linear in its length, and idempotent.

    Small letters; quoted text becomes `<value>`, addresses `<url>`, `<email>` and `<host>`, ids and
    long hexadecimal words `<id>`, numbers, dates and other digits `#`. A mask that follows itself,
    as in a list of numbers, stands once.
    """
    words: list[str] = []
    room = TEMPLATE_MAX
    for found in _WORD.finditer(_unquoted(text[:READ_MAX].lower())):
        word = _masked(found[0])
        last = words[-1] if words else ""
        if word in _MARKS or (last in _MASKS and word in {last, ","}):
            continue
        room -= len(word) + 1
        if room < 0:
            break
        words.append(word)
    return " ".join(words)


def _unquoted(text: str) -> str:
    """Return the text with `<value>` for what stands in quotes."""
    parts: list[str] = []
    at = 0
    lacking: set[str] = set()
    """Marks that do not come any more: they are not looked for again, so this is linear."""
    while at < len(text):
        close = _QUOTES.get(text[at], "")
        opens = close and close not in lacking and not _joins(text, at)
        end = text.find(close, at + 1) if opens else -1
        if opens and end == -1:
            lacking.add(close)
        parts.append(text[at] if end == -1 else " <value> ")
        at = at + 1 if end == -1 else end + 1
    return "".join(parts)


def _joins(text: str, at: int) -> bool:
    """Tell whether a mark stands inside or behind a word, as an apostrophe does."""
    return at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_#")


def _masked(word: str) -> str:
    if word in _MASKS:
        return word
    if "://" in word:
        return "<url>"
    if "@" in word and len(word) > 1:
        return "<email>"
    return "<host>" if _HOST.fullmatch(word) else _without_digits(word)


def _without_digits(word: str) -> str:
    if _looks_like_id(word):
        return "<id>"
    if (word[0] == "#" or word[0] in _DIGITS) and sum(map(str.isalpha, word)) <= 2:
        return "#"  # a number, with a unit or as a date
    return _NUMBER.sub("#", word)


def _looks_like_id(word: str) -> bool:
    if _DIGITS.isdisjoint(word) or not any(map(str.isalpha, word)):
        return False
    return len(word) >= _ID and (_HEX.issuperset(word) or (len(word) >= _LONG and word.isalnum()))


def of_outcome(delivery: Delivery, outcome: Outcome, at: int) -> Sighting | None:
    """Return the group of a failed try, None: it says nothing of the partner or the delivery.

    Args:
        delivery: as it was sent.
        outcome: what came back.
        at: when the send began, ms since the epoch.
    """
    if outcome.result in _SILENT or outcome.failure_class in {None, FailureClass.CANCELLED}:
        return None
    code = outcome.code or str(outcome.http_status or "")
    return _sighting(delivery, str(outcome.failure_class), code, outcome.reason or "", at)


def of_end(delivery: Delivery, code: str, at: int) -> Sighting | None:
    """Return the group of a delivery that dies without a try, such as `PAYLOAD_MISSING`.

    None: it stays in that of its last failure, as its time ran out over that.
    """
    if code == Code.EXPIRED and delivery.fingerprint is not None:
        return None
    return _sighting(delivery, delivery.failure_class or "", code, "", at)


def untried(group: Group) -> bool:
    """Tell whether a group is of deliveries that died without a try."""
    return not group.template and group.code in set(Code)


def _sighting(delivery: Delivery, kind: str, code: str, reason: str, at: int) -> Sighting:
    code = code[:CODE_MAX]
    place = (delivery.account, delivery.flow, delivery.step, delivery.recipient)
    group_id, template = _grouped(kind, code, reason, *place)
    return Sighting(group_id, *place, kind, code, template, at)


@functools.lru_cache(maxsize=_CACHE)
def _grouped(kind: str, code: str, reason: str, *place: str) -> tuple[str, str]:
    """Return the fingerprint and the masked reason."""
    template = mask(reason)
    told = "\x1f".join((kind, code, template, *place)).encode("utf-8", "replace")
    digest = hashlib.blake2b(told, digest_size=_DIGEST_BYTES).hexdigest()
    return f"g{VERSION}_{digest}", template


def version(fingerprint: str) -> int:
    """Return the version of the method that made a fingerprint."""
    return int(fingerprint.partition("_")[0].removeprefix("g"))
