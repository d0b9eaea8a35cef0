"""Failure groups: deliveries whose last failure was the same, and what people made of it."""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from holdfast.model.judgement import Judgement, Nature
from holdfast.model.message import NEVER
from holdfast.model.search import Predicate

BUCKET_MS: Final = 600_000
"""Failures of a group are counted by ten minutes."""
GROUPS_MAX: Final = 1_000
"""Most groups that a list looks at: those seen last."""
LOOK: Final = 20_000
"""Most failing deliveries of a group that are counted."""
JUDGED_MAX: Final = 1_000
"""Most groups that people may have judged at a time: each worker knows them all."""


class GroupStatus(StrEnum):
    """What people made of a group."""

    OPEN = "open"
    RESOLVED = "resolved"
    """A person says that the cause is gone."""
    IGNORED = "ignored"
    """A person does not want to hear of it, until a time or a number of further failures."""
    REGRESSED = "regressed"
    """It was resolved, and seen again in a send that began later."""


class Cause(StrEnum):
    """What lies behind failures, and so who can mend them; coarser than their class (S1.57)."""

    CONNECTION = "connection"
    AUTH = "auth"
    DATA = "data"
    SYSTEM = "system"
    BUSINESS = "business"
    PERFORMANCE = "performance"
    PHYSICAL = "physical"
    SECURITY = "security"
    CONFIGURATION = "configuration"


class GroupBy(StrEnum):
    """What makes deliveries one line of the list."""

    FINGERPRINT = "fingerprint"
    """One error at one recipient and step."""
    ERROR = "error"
    """One error, wherever: class, code and masked reason."""
    CAUSE = "cause"
    """What lies behind it, by a person's word or by what is presumed."""
    CLASS = "class"
    """Class and code."""
    RECIPIENT = "recipient"
    STEP = "step"
    """Flow and step."""


class GroupSort(StrEnum):
    """What comes first."""

    SEEN = "seen"
    """Seen last."""
    COUNT = "count"
    """The most deliveries."""
    VALUE = "value"
    """The most value at risk."""


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """A failure was seen: its group, and what makes it one. `at` in ms: when the send began."""

    id: str
    account: str
    flow: str
    step: str
    recipient: str
    failure_class: str
    code: str
    template: str
    at: int


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A group in the order of `group_rows`. Instants are ms since the epoch, 0: never.

    Attributes:
        id: the fingerprint; its prefix names the method's version.
        account: the tenant.
        flow: with the step and the recipient, where it happens.
        step: see `flow`.
        recipient: see `flow`.
        failure_class: what it was, "" when nothing was tried.
        code: the partner's or the platform's code, else the HTTP status, else "".
        template: the masked reason.
        first_at: first seen.
        last_at: last seen.
        failures: failed tries so far.
        revision: raised by every change of what follows.
        status: what people made of it; see `stands`.
        owner: whose it is, None: nobody's.
        until: ignored until then ...
        ceiling: ... or until so many failures, whichever comes first; 0: without such an end.
        resolved_at: when it was resolved last.
        regressed_at: when it was seen again after that.
        told: the audit journal knows that it regressed.
        changed_at: when a person changed it last.
        changed_by: who.
        why: the reason given.
        nature: what a person judged its failures to be, None: nobody did, the rules decide.
        judged_at: when that was judged, or taken back.
        judged_by: who did.
        cause: what lies behind it by a person's word, None: see `policy.cause`.
        caused_by: who said so.
        resolutions: how often a person said that the cause was gone ...
        regressions: ... and how often it was seen again after that.
    """

    id: str
    account: str
    flow: str
    step: str
    recipient: str
    failure_class: str
    code: str
    template: str
    first_at: int
    last_at: int
    failures: int
    revision: int = 0
    status: GroupStatus = GroupStatus.OPEN
    owner: str | None = None
    until: int = 0
    ceiling: int = 0
    resolved_at: int = 0
    regressed_at: int = 0
    told: bool = True
    changed_at: int = 0
    changed_by: str | None = None
    why: str | None = None
    nature: Nature | None = None
    judged_at: int = 0
    judged_by: str | None = None
    cause: Cause | None = None
    caused_by: str | None = None
    resolutions: int = 0
    regressions: int = 0

    @property
    def judgement(self) -> Judgement | None:
        """Return what a person judged its failures to be."""
        if self.nature is None:
            return None
        return Judgement(self.id, self.nature, self.judged_by or "")

    @property
    def alert_at(self) -> int:
        """Return when it was new, or came back last, whichever is later: ms since the epoch."""
        return max(self.first_at, self.regressed_at)

    def stands(self, now: int) -> GroupStatus:
        """Return the status at an instant: an ignored one is open again when its end has come."""
        if self.status is not GroupStatus.IGNORED:
            return self.status
        over = now >= (self.until or NEVER) or 0 < self.ceiling <= self.failures
        return GroupStatus.OPEN if over else GroupStatus.IGNORED


class Bucket(NamedTuple):
    """What happened in a group within a span of time."""

    failures: int = 0
    """Tries that failed."""
    recovered: int = 0
    """Deliveries that had failed so, were tried again and arrived."""
    lost: int = 0
    """Deliveries that had failed so and died."""


class Tally(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The failing deliveries of a group that match a search.

    Attributes:
        dead: how many are dead ...
        pending: ... and how many wait for another try.
        dead_value: worth of the messages of the dead ...
        pending_value: ... and of the pending ones.
        newest: id of the newest, None: there is none.
        more: there are more than were looked at.
    """

    dead: int = 0
    pending: int = 0
    dead_value: float = 0.0
    pending_value: float = 0.0
    newest: str | None = None
    more: bool = False

    @property
    def count(self) -> int:
        """Return how many there are."""
        return self.dead + self.pending


class Counted(msgspec.Struct, frozen=True):
    """A group with its deliveries counted."""

    group: Group
    tally: Tally


class Held(msgspec.Struct, frozen=True, array_like=True):
    """Dead deliveries that somebody looks at: how many, their worth, and the oldest."""

    assignee: str
    count: int
    value: float
    oldest: str


class Change(msgspec.Struct, frozen=True, gc=False):
    """What a person makes of a group: `after` with its revision raised, decided on `seen`."""

    seen: int
    after: Group


class Line(msgspec.Struct, frozen=True):
    """One line of the list: one group, or several under one heading.

    Attributes:
        key: the group's id; of several, what they have in common.
        query: a search that means its failing deliveries, None: too many groups for one.
        groups: newest first.
        recipients: where it happens, by name; the first of them.
        recipient_count: how many recipients there are.
        tally: of all.
        first_at: first seen.
        last_at: last seen.
        failures: failed tries so far.
        spark: failed tries in each bucket, the oldest first.
        recovered: deliveries that failed so, were tried again and arrived, in these buckets.
        lost: deliveries that failed so and died, in these buckets.
    """

    key: str
    query: str | None
    groups: tuple[Group, ...]
    recipients: tuple[str, ...]
    recipient_count: int
    tally: Tally
    first_at: int
    last_at: int
    failures: int
    spark: tuple[int, ...] = ()
    recovered: int = 0
    lost: int = 0


class Lookback(StrEnum):
    """How far back a spark looks."""

    HOURS_3 = "3h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


LOOKBACKS: Final = {
    Lookback.HOURS_3: (18, 1),
    Lookback.DAY: (24, 6),
    Lookback.WEEK: (28, 36),
    Lookback.MONTH: (30, 144),
}
"""Lookback -> (places of a spark, buckets of ten minutes in each)."""


class Listing(msgspec.Struct, frozen=True):
    """What of the list of groups is asked for.

    Attributes:
        where: which failing deliveries count.
        account: only this tenant's; None: of all.
        by: what makes one line.
        status: groups that stand so; None: open and regressed ones.
        sort: what comes first.
        window: of the sparks.
        start: lines to leave out: where the page begins.
        limit: most lines.
    """

    where: Predicate = Predicate()
    account: str | None = None
    by: GroupBy = GroupBy.FINGERPRINT
    status: frozenset[GroupStatus] | None = None
    sort: GroupSort = GroupSort.SEEN
    window: Lookback = Lookback.DAY
    start: int = 0
    limit: int = 50


class Lines(msgspec.Struct, frozen=True):
    """A page of the list.

    Attributes:
        lines: the lines.
        next_cursor: where the next page begins, None: nowhere.
        since: when the first bucket of the sparks begins, ms.
        bucket_ms: how long each is.
        more: there are more groups than were looked at.
    """

    lines: list[Line]
    next_cursor: int | None
    since: int
    bucket_ms: int
    more: bool
