"""Which workers are taken for dead: those not heard of in time, once they had the chance to be."""

from collections.abc import Mapping
from typing import Final

import msgspec

from holdfast.model.worker import Survey

GAP_MAX_MS: Final = 2_000.0
"""Time between two answers of the store that counts at most: in a longer one it may have been away
for everybody."""


class Suspicion(msgspec.Struct, frozen=True):
    """A worker whose lease has ended.

    Attributes:
        lease_until: the end that we saw; another one means that it lives.
        watched_ms: for how long the store has answered us since, as far as that is sure.
    """

    lease_until: int
    watched_ms: float = 0.0


def suspects(
    before: Mapping[int, Suspicion], survey: Survey, gap_ms: float
) -> dict[int, Suspicion]:
    """Return the workers whose lease has ended, with how long each could have been heard of since.

    Args:
        before: the answer at the last survey.
        survey: who is there.
        gap_ms: time since the last survey.
    """
    found = {}
    for each in survey.late():
        known = before.get(each.epoch)
        watched = 0.0
        if known is not None and known.lease_until == each.lease_until:
            watched = known.watched_ms + min(gap_ms, GAP_MAX_MS)
        found[each.epoch] = Suspicion(each.lease_until, watched)
    return found


def dead(suspected: Mapping[int, Suspicion], survey: Survey, *, steady: bool) -> tuple[int, ...]:
    """Return who is to be taken off the list.

    Where our own renewals were steady the others' could have been: who is late is dead. Where they
    were not (the store was away, or this machine is slow) the late one gets a whole lease in which
    the store answers us. That time only grows, so a slow machine takes over late, not never.
    """
    leases = {each.epoch: each.worker.lease_ms for each in survey.members}
    return tuple(
        epoch for epoch, each in suspected.items() if steady or each.watched_ms >= leases[epoch]
    )
