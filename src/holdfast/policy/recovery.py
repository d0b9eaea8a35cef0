"""Whether failures pass by themselves: what became of deliveries that failed so. Pure."""

from typing import Final

from holdfast.model.judgement import Nature
from holdfast.policy.proportion import lower

_HALF: Final = 0.5


def presumed(recovered: int, lost: int) -> Nature | None:
    """Return what a history says of failures: surely more than half recover, or do not (S1.3).

    Nine of ten are temporary, none of ten is permanent; with two nothing is sure.

    Args:
        recovered: deliveries that failed so, were tried again and arrived.
        lost: deliveries that failed so and died.
    """
    ended = recovered + lost
    if lower(recovered, ended) > _HALF:
        return Nature.TEMPORARY
    return Nature.PERMANENT if lower(lost, ended) > _HALF else None
