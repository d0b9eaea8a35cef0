"""What the linter finds, and what it looks at."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from holdfast.model.flow import Catalog


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Deliveries will fail."""
    WARNING = "warning"
    """It works until something goes wrong."""
    HINT = "hint"
    """Worth a look."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is unwise.

    Attributes:
        severity: how bad it is.
        rule: name of the rule that found it.
        place: dotted path in the configuration.
        what: what stands there.
        why: what comes of it.
        fix: what to do.
    """

    severity: Severity
    rule: str
    place: str
    what: str
    why: str
    fix: str


class Subject(msgspec.Struct, frozen=True):
    """What is looked at.

    Attributes:
        catalog: valid.
        raw: the file as it was written.
        usual: recipient -> seconds in which three of four of its outages were over, as learned.
    """

    catalog: Catalog
    raw: Mapping[str, Any]
    usual: Mapping[str, float]


Found = Iterator[tuple[Severity, str, str, str, str]]
"""(severity, place, what, why, fix)."""
