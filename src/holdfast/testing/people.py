"""Users, tokens and audit lines in memory, for tests of doors."""

import hashlib
from collections.abc import Callable

import msgspec
from argon2 import PasswordHasher

from holdfast.access.house import House
from holdfast.access.passwords import Passwords
from holdfast.clock import Clock, SystemClock
from holdfast.config import Config
from holdfast.errors import Conflict
from holdfast.model.access import Record
from holdfast.model.audit import DAY_MS, DaySum, EventSums
from holdfast.people import Seal
from holdfast.store import Line, Note
from holdfast.vault import Vault

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes that cost nothing, and protect nothing."""


class MemoryPeople:
    """Satisfies `store.People`.

    Args:
        note: hears of every audit line.
    """

    def __init__(self, note: Callable[[Note], None] | None = None) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._chain: tuple[int, bytes] | None = None
        self._told = note or (lambda _: None)
        self.lines: list[Line] = []
        """All audit lines; tests may change them, as somebody with the database could."""
        self.events: dict[int, tuple[int, str]] = {}
        """Retry events: position -> when the try began (ms), and a row; tests change them, too."""

    async def record(self, kind: str, key: str) -> Record | None:
        """Return one record."""
        return self._records.get((kind, key))

    async def records(self, kind: str, after: str, limit: int) -> list[Record]:
        """Return records of a kind by key, after a key."""
        found = [one for (of, key), one in sorted(self._records.items()) if of == kind]
        return [one for one in found if one.key > after][:limit]

    async def keep(self, record: Record | None, note: Note | None) -> None:
        """Write a record and the audit line of it, both or none."""
        if record is not None:
            known = self._records.get((record.kind, record.key))
            if record.revision != 1 + (0 if known is None else known.revision):
                raise Conflict(f"{record.kind} {record.key} was changed meanwhile")
            self._records[record.kind, record.key] = record
        if note is not None:
            self.write(note)

    def write(self, note: Note) -> None:
        """Append an audit line."""
        self.lines.append(Line(len(self.lines) + 1, 0, b"", note))
        self._told(note)

    async def forget(self, kind: str, key: str) -> None:
        """Remove a record, if it is there."""
        self._records.pop((kind, key), None)

    async def forget_old(self, now: int, limit: int) -> int:
        """Remove records whose `until` has passed; return their number."""
        gone = [key for key, one in self._records.items() if one.until <= now][:limit]
        for key in gone:
            del self._records[key]
        return len(gone)

    async def unsealed(self, limit: int) -> list[Line]:
        """Return audit lines that are not in the chain."""
        return [one for one in self.lines if not one.number][:limit]

    async def sealed(self, after: int, limit: int) -> list[Line]:
        """Return audit lines of the chain after a number."""
        found = [one for one in self.lines if one.number > after]
        return sorted(found, key=lambda one: one.number)[:limit]

    async def summed(self, after: int, until: int, limit: int) -> EventSums:
        """Return sums of retry events after a position."""
        found = [each for each in sorted(self.events) if after < each <= until][:limit]
        days: dict[int, list[str]] = {}
        for position in found:
            at, row = self.events[position]
            days.setdefault(at // DAY_MS, []).append(row)
        sums = (
            DaySum(day, len(own), hashlib.sha256("\n".join(own).encode()).hexdigest())
            for day, own in sorted(days.items())
        )
        return EventSums(found[-1] if found else after, tuple(sums))

    async def seal(self, seal: Seal) -> None:
        """Change the chain, when it is as it was seen."""
        version = 0 if self._chain is None else self._chain[0]
        if version != seal.expected:
            raise Conflict(f"the chain has version {version}, not {seal.expected}")
        self._chain = (version + 1, seal.chain)
        self.lines = [
            one
            for one in self.lines
            if not 0 < one.number <= seal.prune or one.note.action == "revoke_consent"
        ]
        new = {one.place: one for one in seal.lines}
        self.lines = [new.get(one.place, one) for one in self.lines]

    async def document(self, name: str) -> tuple[int, bytes] | None:
        """Return (version, body) of the chain's state."""
        del name
        return self._chain

    async def put_state(self, body: bytes) -> None:
        """Put another state of the chain there, as somebody with the database could."""
        version = 0 if self._chain is None else self._chain[0]
        self._chain = (version, body)


def nobody(config: Config, people: MemoryPeople | None = None, clock: Clock | None = None) -> House:
    """Return a house that knows nobody yet, and whose passwords cost nothing."""
    kept = people or MemoryPeople()
    return House(
        kept,
        clock or SystemClock(),
        config.catalog,
        digest=Vault.generate().digest,
        passwords=Passwords(CHEAP),
    )


def with_note(line: Line, **fields: object) -> Line:
    """Return a line whose note was changed, and nothing else."""
    return msgspec.structs.replace(line, note=msgspec.structs.replace(line.note, **fields))
