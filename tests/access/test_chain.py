"""The chain of audit lines: whatever somebody with the database does to it is found."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from holdfast.access.chain import Chain, State
from holdfast.access.tries import Tries
from holdfast.errors import StoreMismatch
from holdfast.model.audit import Checked
from holdfast.store import Line, Note
from holdfast.testing.people import MemoryPeople, with_note
from holdfast.vault import Vault

NOW: Final = 1_767_225_600_000
LINES: Final = 12


class Bench:
    """A chain of a few lines, which tests damage."""

    def __init__(self) -> None:
        self.people = MemoryPeople()
        self.vault = Vault.generate()
        tries = Tries(self.people, self.vault.digest, lambda: NOW)
        self.chain = Chain(self.people, self.vault.digest, lambda: NOW, tries)

    def write(self, *actions: str) -> None:
        """Append lines, one ms apart."""
        for action in actions:
            at = NOW + len(self.people.lines)
            self.people.write(Note(at, "ada", action, "north", f"reason {at}"))

    async def check(self, limit: int = 5, head: tuple[int, str] | None = None) -> Checked:
        """Return what a whole check says, page by page."""
        found = await self.chain.verify(0, limit, head)
        while not found.done and found.broken is None:
            found = await self.chain.verify(found.number, limit)
        return found

    @property
    def lines(self) -> list[Line]:
        """Return what the store has."""
        return self.people.lines


@pytest.fixture
async def bench() -> Bench:
    """Return a sound chain."""
    bench = Bench()
    bench.write(*["pause"] * LINES)
    assert await bench.chain.seal() == LINES
    return bench


async def test_an_untouched_chain_holds(bench: Bench) -> None:
    """Every line is checked, whatever the size of the pages; what waits is counted."""
    bench.write("resume", "resume")
    for limit in (1, 5, LINES, 1000):
        found = await bench.check(limit)
        assert (found.broken, found.number, found.done) == (None, LINES, True)
        assert found.waiting == 2
    await bench.chain.seal()
    assert (await bench.check()).number == LINES + 2


def _swapped(lines: list[Line]) -> None:
    lines[3], lines[4] = (
        msgspec.structs.replace(lines[4], number=4),
        msgspec.structs.replace(lines[3], number=5),
    )


DAMAGES: Final[dict[str, tuple[Callable[[list[Line]], Any], int]]] = {
    "reason": (lambda lines: lines.__setitem__(3, with_note(lines[3], reason="nothing")), 4),
    "actor": (lambda lines: lines.__setitem__(3, with_note(lines[3], actor="eve")), 4),
    "instant": (lambda lines: lines.__setitem__(3, with_note(lines[3], at=NOW)), 4),
    "detail": (lambda lines: lines.__setitem__(0, with_note(lines[0], detail="x")), 1),
    "account": (lambda lines: lines.__setitem__(11, with_note(lines[11], account="x")), 12),
    "removed": (lambda lines: lines.pop(3), 4),
    "first removed": (lambda lines: lines.pop(0), 1),
    "last removed": (lambda lines: lines.pop(), 12),
    "all removed": (lambda lines: lines.clear(), 1),
    "swapped": (_swapped, 4),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_every_damage_is_found(bench: Bench, damage: str) -> None:
    """With the number of the first line that is wrong."""
    work, number = DAMAGES[damage]
    work(bench.lines)
    found = await bench.check()
    assert found.broken is not None
    assert found.broken.number == number


async def test_a_new_chain_needs_the_key(bench: Bench) -> None:
    """Who rewrites everything, with hashes and state, does not have the store's key."""
    forged = Bench()
    forged.write(*["resume"] * LINES)
    await forged.chain.seal()
    bench.people.lines = forged.lines
    state = await forged.people.document("audit_chain")
    assert state is not None
    await bench.people.put_state(state[1])
    found = await bench.check()
    assert found.broken is not None
    assert "state" in found.broken.why
    bench.write("pause")
    with pytest.raises(StoreMismatch, match="was changed"):
        await bench.chain.seal()


async def test_an_older_copy_is_found_by_a_head_that_was_kept(bench: Bench) -> None:
    """A whole store of yesterday is sound in itself; only what was written down tells."""
    old_lines = list(bench.lines)
    old_state = await bench.people.document("audit_chain")
    bench.write("purge")
    await bench.chain.seal()
    kept = await bench.check()
    head = (kept.last, kept.hash)
    assert (await bench.check(head=head)).broken is None
    bench.people.lines = old_lines
    assert old_state is not None
    await bench.people.put_state(old_state[1])
    assert (await bench.check()).broken is None
    found = await bench.check(head=head)
    assert found.broken is not None
    assert found.broken.number == LINES + 1


async def test_pruning_leaves_a_chain_that_holds(bench: Bench) -> None:
    """From its anchor on; revoked consents stay, and are checked one by one."""
    bench.write("revoke_consent", "pause", "revoke_consent", "pause", "pause")
    await bench.chain.seal()
    assert await bench.chain.prune(NOW + LINES + 4) == LINES + 4
    assert [line.note.action for line in bench.lines] == [
        *("revoke_consent", "revoke_consent", "pause")
    ]
    assert (await bench.check()).broken is None
    assert await bench.chain.prune(NOW + LINES + 4) == 0
    bench.write("pause")
    await bench.chain.seal()
    assert (await bench.check()).number == LINES + 6
    bench.lines[1] = with_note(bench.lines[1], subject="another")
    found = await bench.check()
    assert found.broken is not None
    assert found.broken.number == LINES + 3
    del bench.lines[1]
    found = await bench.check()
    assert found.broken is not None
    assert "kept" in found.broken.why


async def test_the_anchor_cannot_be_moved(bench: Bench) -> None:
    """Who removes lines from the beginning cannot say that they were pruned."""
    state = State(number=LINES, hash=bench.lines[-1].hash, pruned=3)
    moved = msgspec.structs.replace(state, pruned_hash=bench.lines[2].hash, sum=bytes(32))
    del bench.lines[:3]
    await bench.people.put_state(msgspec.json.encode(moved))
    found = await bench.check()
    assert found.broken is not None
    assert "state" in found.broken.why


async def test_a_broken_chain_is_not_pruned(bench: Bench) -> None:
    """What is wrong with it must be seen first."""
    bench.lines[2] = with_note(bench.lines[2], reason="changed")
    with pytest.raises(StoreMismatch, match="audit verify"):
        await bench.chain.prune(NOW + LINES)
    assert len(bench.lines) == LINES


async def test_lines_that_are_linked_during_a_check_break_nothing(bench: Bench) -> None:
    """It looks again; what is broken stays so, however often it looks."""
    sealed = bench.people.sealed

    async def busy(after: int, limit: int) -> list[Line]:
        bench.write("pause")
        await bench.chain.seal()
        bench.people.sealed = sealed  # type: ignore[method-assign]
        return await sealed(after, limit)

    bench.people.sealed = busy  # type: ignore[method-assign]
    found = await bench.check(1000)
    assert (found.broken, found.number, found.done) == (None, LINES + 1, True)
    bench.lines.pop()
    bench.people.sealed = busy  # type: ignore[method-assign]
    found = await bench.check(1000)
    assert found.broken is not None
