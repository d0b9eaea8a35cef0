"""What somebody should look at first: groups that are new or came back, and urgent deliveries."""

from typing import Final

import msgspec

from holdfast.model.delivery import Delivery
from holdfast.model.group import Counted, Group

ALERTS_LOOK: Final = 1_000
"""Most groups of a window that are looked at for those that fail now."""
CRITICAL_LOOK: Final = 10_000
"""Most failing deliveries that are counted."""
CRITICAL_PRIORITY: Final = 7
"""The lowest priority of the class "high" (`model.delivery.band`)."""


class AlertQuery(msgspec.Struct, frozen=True, gc=False):
    """Which groups are asked for: new, or back, at `since` (ms) or later.

    Only those of `account` (None: of all) that are neither resolved nor ignored at `now` (ms) and
    that have a failing delivery; at most `limit`, among the newest `ALERTS_LOOK`.
    """

    since: int
    now: int
    limit: int
    account: str | None = None


class Alerted(msgspec.Struct, frozen=True):
    """What a store found: the newest first; `more`: not all that could be were looked at."""

    groups: list[Group]
    more: bool = False


class Alerts(msgspec.Struct, frozen=True):
    """The newest alerts with what fails in each; `since` in ms; `more`: there may be older ones."""

    alerts: list[Counted]
    since: int
    more: bool


class CriticalQuery(msgspec.Struct, frozen=True, gc=False):
    """Which deliveries are asked for: failing, of `priority` or above, only of `account`.

    Failing is what is dead, or pending with a failure. At most `limit` are returned and
    `CRITICAL_LOOK` counted.
    """

    priority: int
    limit: int
    account: str | None = None


class Critical(msgspec.Struct, frozen=True):
    """Failing deliveries, the most urgent and newest first, and how many there are.

    `more`: there are more than were looked at, so there may be more than `count`.
    """

    priority: int
    deliveries: list[Delivery]
    count: int
    more: bool
