"""Compare and set, and look again when somebody else was first."""

import pytest

from holdfast.again import TRIES, again
from holdfast.errors import Conflict


@pytest.mark.parametrize("lost", range(TRIES))
async def test_it_is_done_as_soon_as_nobody_was_first(lost: int) -> None:
    """Each look is a new one."""
    looks: list[int] = []

    async def work() -> int:
        looks.append(len(looks))
        if len(looks) <= lost:
            raise Conflict("somebody was first")
        return len(looks)

    assert await again(work) == lost + 1


async def test_it_ends() -> None:
    """Whoever loses each time is told."""
    looks: list[int] = []

    async def work() -> None:
        looks.append(len(looks))
        raise Conflict(f"lost {len(looks)}")

    with pytest.raises(Conflict, match=f"lost {TRIES}"):
        await again(work)
    assert len(looks) == TRIES
