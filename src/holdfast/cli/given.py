"""What a person gives on the command line besides words: files, and JSON."""

from pathlib import Path
from typing import Any

import msgspec

from holdfast.cli.complaint import USAGE, Complaint


def content(field: str, path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        Complaint: it cannot be read; names the option.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise Complaint(f"{field}: cannot read {path}: {error.strerror}", USAGE) from error


def raw_json(field: str, text: str) -> msgspec.Raw:
    """Return JSON as it is written; `@FILE` stands for what a file holds.

    Raises:
        Complaint: it is none; names the option.
    """
    body = content(field, Path(text[1:])) if text.startswith("@") else text.encode()
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Complaint(f"{field}: not JSON: {error}", USAGE) from error
    return msgspec.Raw(body)


def json_of(field: str, text: str) -> Any:
    """Return JSON as a value; `@FILE` stands for what a file holds."""
    return msgspec.json.decode(raw_json(field, text))
