"""What a command says when it cannot do its work: one line, and an exit code scripts can use."""

from typing import Final

REFUSED: Final = 1
"""The API, or the thing itself, says no."""
USAGE: Final = 2
"""The command was given something it cannot use."""
UNREACHABLE: Final = 3
"""Nothing answers."""


class Complaint(Exception):
    """An expected trouble; `main` prints the line and leaves with the code."""

    def __init__(self, line: str, exit_code: int) -> None:
        super().__init__(line)
        self.exit_code = exit_code
