"""Reading a payload: its shape was checked where it came in, its numbers and its depth were not.

What cannot be read here could neither be masked, searched, stripped nor compared with a repeat, so
it is refused before it is accepted.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from holdfast.errors import InvalidInput

_EXACT: Final = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode()))
ALLOWED: Final = "numbers up to 1.8e308, of at most 4,300 digits"


def read(payload: bytes) -> Any:
    """Return the value of a payload.

    Raises:
        InvalidInput: it is nested too deeply, or has a number that nothing can hold.
    """
    return _read(msgspec.json.decode, payload)


def read_exactly(payload: bytes) -> Any:
    """Return the value of a payload to write it again: fractions stay as they are written.

    Raises:
        InvalidInput: as `read`.
    """
    return _read(_EXACT.decode, payload)


def too_deep() -> InvalidInput:
    """Return what is said of a payload that is nested too deeply."""
    return InvalidInput("payload", "...", "less deeply nested JSON")


def _read(decode: Callable[[bytes], Any], payload: bytes) -> Any:
    try:
        return decode(payload)
    except RecursionError:
        raise too_deep() from None
    except UnicodeDecodeError:
        raise InvalidInput("payload", "...", "UTF-8 text") from None
    except msgspec.DecodeError as error:
        raise InvalidInput("payload", str(error), ALLOWED) from None
