"""Fields of a payload by JSON pointer (RFC 6901), as the words that a search compares."""

from collections.abc import Iterator
from typing import Final

from holdfast.errors import InvalidInput

POINTERS_MAX: Final = 8
"""Most search fields of a flow: each costs a row of the index per delivery."""
LENGTH_MAX: Final = 200
WORD_MAX: Final = 512
"""Longer values are not searched for."""
WORDS_MAX: Final = 16
"""Of a list at most so many items are found."""


def check(field: str, text: str) -> None:
    """Refuse what is no pointer to a field.

    Raises:
        InvalidInput: names the field and what would do.
    """
    escapes = text.replace("~0", "").replace("~1", "")
    good = text.startswith("/") and len(text) <= LENGTH_MAX and "~" not in escapes
    if not good or not text.isprintable() or any(each in text for each in ' ":,'):
        raise InvalidInput(
            field,
            text[:80],
            "a JSON pointer such as /lead/email, at most 200 characters, "
            'without space, colon, comma and "',
        )


def check_all(field: str, pointers: tuple[str, ...]) -> None:
    """Refuse search fields of a flow that cannot be: too many, one twice, or no pointer.

    Raises:
        InvalidInput: names the field and what would do.
    """
    if len(pointers) > POINTERS_MAX:
        raise InvalidInput(field, f"{len(pointers)} fields", f"at most {POINTERS_MAX}")
    for index, text in enumerate(pointers):
        check(f"{field}.{index}", text)
        if text in pointers[:index]:
            raise InvalidInput(f"{field}.{index}", text, "each field once")


def words(payload: object, pointer: str) -> tuple[str, ...]:
    """Return what stands at a pointer as words, each once: a scalar, or the scalars of a list."""
    node = payload
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict):
            node = node.get(key)
        elif isinstance(node, list) and key.isdecimal() and len(key) < 10 and int(key) < len(node):
            node = node[int(key)]
        else:
            return ()
    items = node[:WORDS_MAX] if isinstance(node, list) else [node]
    return tuple(dict.fromkeys(_words(items)))


def _words(items: list[object]) -> Iterator[str]:
    for item in items:
        if isinstance(item, bool):
            yield "true" if item else "false"
        elif isinstance(item, str | int | float):
            text = word(str(item))
            if text and len(text) <= WORD_MAX:
                yield text


def word(text: str) -> str:
    """Return a value as it is compared: case, outer spaces and a zero fraction do not count."""
    plain = text.strip().casefold()
    whole, _, fraction = plain.partition(".")
    digits = whole.removeprefix("-")
    is_whole = digits.isascii() and digits.isdecimal() and fraction and not fraction.strip("0")
    return whole if is_whole else plain
