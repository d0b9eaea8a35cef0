"""What a person judged the failures of a group to be, whatever the rules say."""

from enum import StrEnum

import msgspec


class Nature(StrEnum):
    """Whether such failures pass."""

    TEMPORARY = "temporary"
    """They pass: retried as the policy retries."""
    PERMANENT = "permanent"
    """They do not: the delivery ends at the first one."""


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """A person's word on a group's failures; it beats what the answer means by the rules.

    Attributes:
        group: the group's id.
        nature: what its failures are.
        actor: who says so.
    """

    group: str
    nature: Nature
    actor: str
