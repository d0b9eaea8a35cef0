"""The chain of audit lines: each line's hash covers the line and all before it.

Hashes are keyed with a secret that the database does not have, so that whoever can write there can
break the chain and not mend it. A line is linked within a second of its commit, by one worker:
the commits of many workers do not wait for each other. Where the chain begins, where it ends, and
how many lines were kept of what was pruned stands in one document with a keyed sum of its own.
"""

import contextlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from holdfast.access.signed import Digest, signed, sound
from holdfast.access.tries import Tries
from holdfast.again import TRIES
from holdfast.errors import Conflict, StoreError, StoreMismatch
from holdfast.model.audit import Broken, Checked
from holdfast.people import CHAIN, People, Seal
from holdfast.store import Line, Note

PAGE: Final = 500
"""Most lines of one commit of the chain."""
KEPT: Final = "revoke_consent"
"""Lines of this action hold for ever; pruning leaves them, each with a sum of its own."""

_LABEL: Final = b"audit state"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where the chain begins and ends.

    Attributes:
        number: of the last line ...
        hash: ... and its hash.
        pruned: of the last line that was pruned, 0: none ...
        pruned_hash: ... and its hash: the anchor.
        kept: lines up to `pruned` that are still there.
        sum: keyed sum of all this.
    """

    number: int = 0
    hash: bytes = b""
    pruned: int = 0
    pruned_hash: bytes = b""
    kept: int = 0
    sum: bytes = b""


_STATES: Final = msgspec.json.Decoder(State)


def link(digest: Digest, before: bytes, number: int, note: Note) -> bytes:
    """Return the hash of a line that follows another."""
    return digest(b"audit line", before, b"%d" % number, _body(note))


def alone(digest: Digest, number: int, note: Note) -> bytes:
    """Return the hash of a line that outlives those before it."""
    return digest(b"audit kept", b"%d" % number, _body(note))


def linked(digest: Digest, state: State, lines: Sequence[Line]) -> tuple[State, tuple[Line, ...]]:
    """Return the lines with their places behind the end of the chain, and its state after them."""
    number, last = state.number, state.hash
    found = []
    for line in lines:
        number += 1
        last = link(digest, last, number, line.note)
        found.append(Line(line.place, number, last, line.note))
    after = msgspec.structs.replace(state, number=number, hash=last)
    return signed(digest, _LABEL, after), tuple(found)


def pruned(
    digest: Digest, state: State, lines: Sequence[Line], before: int
) -> tuple[State, tuple[Line, ...]] | None:
    """Return the state without the lines before an instant (ms), and the kept ones among them.

    Args:
        digest: makes the sums.
        state: of the chain.
        lines: of the chain from its beginning, in order.
        before: lines of this instant and later stay, and all after the first of them.

    None: nothing is old enough.
    """
    old = []
    for line in lines:
        if line.note.at >= before:
            break
        old.append(line)
    if not old:
        return None
    kept = tuple(
        msgspec.structs.replace(line, hash=alone(digest, line.number, line.note))
        for line in old
        if line.note.action == KEPT
    )
    last = old[-1]
    after = msgspec.structs.replace(
        state, pruned=last.number, pruned_hash=last.hash, kept=state.kept + len(kept)
    )
    return signed(digest, _LABEL, after), kept


def broken(digest: Digest, lines: Sequence[Line], number: int, last: bytes) -> Broken | None:
    """Return the first line that does not follow; None: all do.

    Args:
        digest: makes the sums.
        lines: in the order of their numbers.
        number: of the line before them ...
        last: ... and its hash.
    """
    for line in lines:
        number += 1
        if line.number != number:
            return Broken(number, "the line is missing")
        last, expected = line.hash, link(digest, last, number, line.note)
        if not hmac.compare_digest(last, expected):
            return Broken(number, "the line, or one before it, was changed")
    return None


def decoded(digest: Digest, body: bytes | None) -> State:
    """Return the chain's state.

    Raises:
        StoreMismatch: it was changed by somebody who does not have the key.
    """
    if body is None:
        return State()
    try:
        state = _STATES.decode(body)
    except msgspec.MsgspecError as error:
        raise StoreMismatch(f"the state of the audit chain is damaged: {error}") from error
    if not sound(digest, _LABEL, state):
        raise StoreMismatch("the state of the audit chain was changed")
    return state


def _body(note: Note) -> bytes:
    return msgspec.json.encode(msgspec.structs.astuple(note))


class Chain:
    """Links, prunes and verifies the lines of a store.

    Args:
        people: the store.
        digest: makes the sums.
        now: returns the time, ms since the epoch.
        tries: checks the retry events that lines sum up.
    """

    def __init__(
        self, people: People, digest: Digest, now: Callable[[], int], tries: Tries
    ) -> None:
        self._people = people
        self._tries = tries
        self._digest = digest
        self._now = now

    async def seal(self) -> int:
        """Link what was written since; return how many lines that were.

        Raises:
            StoreMismatch: the state was changed: nothing is linked to what may be forged.
        """
        done = 0
        while True:
            # The state first: a line that another worker links after this makes it a conflict.
            state, version = await self._state()
            lines = await self._people.unsealed(PAGE)
            if not lines:
                break
            after, placed = linked(self._digest, state, lines)
            try:
                await self._people.seal(
                    Seal(placed, msgspec.json.encode(after), version, self._now())
                )
            except Conflict:  # another worker was first: it has linked them
                break
            done += len(lines)
        return done

    async def seal_quietly(self) -> None:
        """Link what is new before a check; what hinders that, the check itself says."""
        with contextlib.suppress(StoreError):
            await self.seal()

    async def prune(self, before: int) -> int:
        """Remove lines older than an instant, at most a page; return how far the anchor moved."""
        state, version = await self._state()
        lines = await self._people.sealed(state.pruned, PAGE)
        if broken(self._digest, lines, state.pruned, state.pruned_hash) is not None:
            raise StoreMismatch("the audit chain is broken; run: holdfast audit verify")
        cut = pruned(self._digest, state, lines, before)
        if cut is None:
            return 0
        after, kept = cut
        body = msgspec.json.encode(after)
        await self._people.seal(Seal(kept, body, version, self._now(), prune=after.pruned))
        return after.pruned - state.pruned

    async def verify(self, after: int, limit: int, head: tuple[int, str] | None = None) -> Checked:
        """Check the lines after a number, at most so many, and the events that they sum up.

        Fewer where these events are many; call again with `Checked.number`.

        Args:
            after: the last number that was checked, 0: from the beginning.
            limit: most lines.
            head: number and hash (hex) of a line as it was once; it must still be so.
        """
        for _ in range(TRIES):
            version = await self._version()
            found = await self._checked(after, limit, head)
            if found.broken is None or version == await self._version():
                break  # else lines were linked or pruned while it looked
        return found

    async def _checked(self, after: int, limit: int, head: tuple[int, str] | None) -> Checked:
        try:
            state, _ = await self._state()
        except StoreMismatch as error:
            return Checked(number=after, last=0, broken=Broken(0, str(error)))
        found = Checked(number=after, last=state.number, hash=state.hash.hex())
        wrong = await self._beginning(state) if after <= state.pruned else None
        wrong = wrong or await self._head(state, head)
        start, last = state.pruned, state.pruned_hash
        if after > state.pruned:
            before = await self._people.sealed(after - 1, 1)
            start, last = after, before[0].hash if before else b""
        lines = await self._people.sealed(start, limit)
        wrong = wrong or broken(self._digest, lines, start, last)
        whole, events = len(lines) < limit, 0
        if wrong is None:
            looked, events, wrong = await self._tries.check(lines)
            whole = whole and looked == len(lines)
            lines = lines[:looked]
        reached = lines[-1].number if lines else start
        if wrong is None and whole:
            wrong = _ending(state, lines, reached)
            found = msgspec.structs.replace(
                found, done=True, waiting=len(await self._people.unsealed(PAGE))
            )
        return msgspec.structs.replace(found, number=reached, events=events, broken=wrong)

    async def _version(self) -> int:
        found = await self._people.document(CHAIN)
        return 0 if found is None else found[0]

    async def _state(self) -> tuple[State, int]:
        found = await self._people.document(CHAIN)
        version, body = found or (0, None)
        return decoded(self._digest, body), version

    async def _beginning(self, state: State) -> Broken | None:
        """Check the lines that were kept of what was pruned."""
        count, after = 0, 0
        while after < state.pruned:
            lines = await self._people.sealed(after, PAGE)
            own = [line for line in lines if line.number <= state.pruned]
            for line in own:
                expected = alone(self._digest, line.number, line.note)
                if not hmac.compare_digest(line.hash, expected):
                    return Broken(line.number, "the kept line was changed")
            count += len(own)
            if len(own) < PAGE:
                break
            after = own[-1].number
        if count != state.kept:
            return Broken(state.pruned, f"{state.kept} lines were kept to here, {count} are there")
        return None

    async def _head(self, state: State, head: tuple[int, str] | None) -> Broken | None:
        if head is None:
            return None
        number, given = head
        if number == state.pruned:
            found = state.pruned_hash.hex()
        elif number < state.pruned:
            return Broken(number, "the line of --head was pruned; keep a later one")
        else:
            lines = await self._people.sealed(number - 1, 1)
            found = lines[0].hash.hex() if lines and lines[0].number == number else "none"
        return None if found == given else Broken(number, "it had another hash: --head")


def _ending(state: State, lines: Sequence[Line], reached: int) -> Broken | None:
    if reached < state.number:
        return Broken(reached + 1, "the line is missing at the end")
    if reached > state.number or (lines and lines[-1].hash != state.hash):
        return Broken(state.number, "the end is not the one on record")
    return None
