"""Regular expressions that authors write and partners' answers are searched with.

They run in time linear to the text (RE2): a backtracking engine could be stalled for hours by
`(a+)+$` and the right answer. Look-around and back-references are therefore refused.
"""

import functools
from typing import Final, Protocol

import re2

from holdfast.errors import InvalidInput

MEMORY_BYTES: Final = 8 * 1024 * 1024
"""Most memory of one expression; RE2 searches in a slower way rather than exceed it."""


class Pattern(Protocol):
    """A compiled expression."""

    def search(self, text: str) -> object | None:
        """Return something when the expression occurs in the text, else None."""
        ...


@functools.lru_cache(maxsize=4096)
def compiled(expression: str, *, ignore_case: bool = False) -> Pattern:
    """Return the expression, ready to search; it was checked when it was configured."""
    options = re2.Options()
    options.max_mem = MEMORY_BYTES
    options.case_sensitive = not ignore_case
    options.log_errors = False
    found: Pattern = re2.compile(expression, options)
    return found


def check(expression: str, field: str) -> None:
    """Refuse what is no regular expression, or none that ends in time.

    Raises:
        InvalidInput: names the field and what the engine does not take.
    """
    try:
        compiled(expression)
    except re2.error as error:
        cause = error.args[0] if error.args else ""
        told = cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)
        allowed = f"an RE2 regular expression, without look-around or back-references ({told})"
        raise InvalidInput(field, expression, allowed) from error
