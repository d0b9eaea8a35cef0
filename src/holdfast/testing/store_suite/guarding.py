"""Users, tokens and sessions; the chain of audit lines."""

import asyncio
from typing import Any, cast

import msgspec
import pytest

from holdfast.access.versions import Versions
from holdfast.errors import Conflict
from holdfast.model.access import Record
from holdfast.model.attempt import Result
from holdfast.model.audit import EventSums, LineQuery, Scope
from holdfast.model.configuration import Stage, Written
from holdfast.model.delivery import Verb
from holdfast.model.message import NEVER
from holdfast.people import CHAIN, Backend, Seal
from holdfast.store import EventQuery, Line, Note, Store
from holdfast.testing.clock import VirtualClock
from holdfast.testing.store_suite.case import DAY, NOW, Case, Suite
from holdfast.vault import Vault


class GuardingSuite(Suite):
    """`record`, `keep`, `forget`, `seal` and what reads lines of the chain."""

    @pytest.fixture
    async def backend(self, store: Store) -> Backend:
        """Return the store under test with all its roles."""
        return cast("Backend", store)

    async def test_records_are_compared_and_set_with_their_line(self, backend: Backend) -> None:
        """The line is there exactly when the record is."""
        first = Record("user", "ada", 1, b'{"role":"viewer"}')
        await backend.keep(first, Note(NOW, "root", "add_user", "user:ada", "joins"))
        for wrong in (1, 3):
            refused = Record("user", "ada", wrong, b"{}")
            with pytest.raises(Conflict):
                await backend.keep(refused, Note(NOW, "eve", "x", "user:ada", str(wrong)))
        with pytest.raises(Conflict):
            await backend.keep(Record("user", "nobody", 2, b"{}"), None)
        second = Record("user", "ada", 2, b'{"role":"auditor"}', NOW)
        await backend.keep(second, None)
        assert await backend.record("user", "ada") == second
        assert await backend.record("token", "ada") is None
        assert [note.actor for note in await backend.notes("user:ada", 10)] == ["root"]

    async def test_records_come_by_key(self, backend: Backend) -> None:
        """Of one kind, after a key, never more than asked for."""
        kept = [Record("token", f"t{number}", 1, b"{}") for number in range(4)]
        for each in (*kept, Record("user", "t9", 1, b"{}")):
            await backend.keep(each, None)
        assert await backend.records("token", "", 3) == kept[:3]
        assert await backend.records("token", "t1", 3) == kept[2:]

    async def test_old_records_are_forgotten(self, backend: Backend) -> None:
        """Those whose time is over; what has no end stays; a forgotten one can come anew."""
        for key, until in (("old", NOW), ("young", NOW + 1), ("endless", NEVER)):
            await backend.keep(Record("session", key, 1, b"{}", until), None)
        assert await backend.forget_old(NOW, 10) == 1
        left = [each.key for each in await backend.records("session", "", 10)]
        assert left == ["endless", "young"]
        await backend.forget("session", "young")
        await backend.forget("session", "young")
        assert await backend.record("session", "young") is None
        await backend.keep(Record("session", "young", 1, b"{}"), None)

    async def test_many_starts_with_one_configuration_are_one_version(
        self, backend: Backend
    ) -> None:
        """However they meet; and what was written reads back sound."""
        versions = Versions(backend, VirtualClock(NOW), Vault.generate().digest)
        first = Written({"engine": {"max_in_flight": 7}, "x": [1.0, True, "\x00\u00fc"]})
        for each in (first, Written({}), first):
            await asyncio.gather(*(versions.start(each, f"cli:{n}") for n in range(4)))
        found = await versions.page(None, 10)
        assert [(one.number, one.base, stage) for one, stage in found] == [
            *((3, 2, Stage.CURRENT), (2, 1, Stage.REPLACED), (1, 0, Stage.REPLACED)),
        ]
        assert (await versions.show(3)).tree == first.tree
        lines = await backend.notes("configuration:3", 10)
        assert [line.action for line in lines] == ["load_configuration"]

    async def test_lines_of_an_account(self, case: Case) -> None:
        """Its own, and those of no account about what is named; nothing else."""
        lines = (
            Note(NOW, "ada", "redrive", "dlv_1", "theirs", "", "acme"),
            Note(NOW, "ada", "redrive", "dlv_2", "others", "", "beta"),
            Note(NOW, "engine", "gate", "north", "their lane"),
            Note(NOW, "engine", "gate", "south", "another lane"),
            Note(NOW, "ada", "pause", "north", "a lane of the same name", "", "beta"),
        )
        await case.commit(notes=lines)
        scope = Scope("acme", ("north",))
        assert await _found(case, scope=scope) == [lines[2], lines[0]]
        assert await _found(case, scope=scope, subject="dlv_2") == []

    async def test_lines_are_found_by_each_filter(self, case: Case) -> None:
        """Who, what, about what, and when: from an instant on, and before another."""
        lines = (
            Note(NOW, "ada", "pause", "north", "one"),
            Note(NOW + 1, "bea", "pause", "south", "two"),
            Note(NOW + 2, "ada", "resume", "north", "three"),
            Note(NOW + 3, "ada", "pause", "north", "four"),
        )
        await case.commit(notes=lines)
        one, two, three, four = lines
        assert await _found(case) == [four, three, two, one]
        assert await _found(case, forward=True) == [one, two, three, four]
        assert await _found(case, actor="bea") == [two]
        assert await _found(case, action="pause", subject="north") == [four, one]
        assert await _found(case, start=NOW + 1, end=NOW + 3) == [three, two]
        assert await _found(case, start=NOW + 1, end=NOW + 3, forward=True) == [two, three]
        assert await _found(case, actor="ada", action="resume", end=NOW + 2) == []

    async def test_pages_of_lines_hold_while_lines_are_added(self, case: Case) -> None:
        """Each line that was there comes once, in both ways, although many share an instant."""
        lines = [Note(NOW + n // 4, "ada", "x", f"s{n % 3}", str(n)) for n in range(11)]
        await case.commit(notes=tuple(lines))
        assert await _paged(case, LineQuery(limit=2), add=True) == lines[::-1]
        forward = LineQuery(limit=3, forward=True, end=NOW + 3)
        assert await _paged(case, forward) == lines
        about = LineQuery(limit=1, subject="s1", forward=True, end=NOW + 3)
        assert await _paged(case, about) == [one for one in lines if one.subject == "s1"]

    async def test_a_page_looks_at_a_limited_number_of_lines(self, case: Case) -> None:
        """What is rare makes short pages, whose cursor goes on until the end."""
        lines = [Note(NOW + n, "bea" if n in {0, 9} else "ada", "x", "y", "z") for n in range(10)]
        await case.commit(notes=tuple(lines))
        for forward in (False, True):
            query = LineQuery(actor="bea", limit=2, look=4, forward=forward)
            first = await case.store.lines(query)
            assert len(first.lines) == 1
            assert first.cursor is not None
            second = await case.store.lines(msgspec.structs.replace(query, cursor=first.cursor))
            assert second.lines == ()
            assert second.cursor is not None
            wanted = [lines[0], lines[9]] if forward else [lines[9], lines[0]]
            assert await _paged(case, query) == wanted

    async def test_lines_show_their_places_in_the_chain(self, case: Case, backend: Backend) -> None:
        """Number and hash of what is linked; 0 and nothing of what is not yet."""
        await case.commit(notes=tuple(Note(NOW, "ada", "x", "y", str(n)) for n in range(2)))
        sealed = _numbered(await backend.unsealed(1), 1)
        await backend.seal(Seal(sealed, b"state", 0, NOW))
        newest, oldest = (await case.store.lines(LineQuery())).lines
        assert oldest == sealed[0]
        assert (newest.number, newest.hash, newest.note.reason) == (0, b"", "1")

    async def test_lines_enter_the_chain(self, case: Case, backend: Backend) -> None:
        """Each once, with its number and hash; whoever saw an old state is refused."""
        await case.commit(notes=tuple(Note(NOW, "ada", "x", "y", str(n)) for n in range(3)))
        waiting = await backend.unsealed(2)
        assert [line.note.reason for line in waiting] == ["0", "1"]
        assert [(line.number, line.hash) for line in waiting] == [(0, b""), (0, b"")]
        sealed = _numbered(waiting, 1)
        await backend.seal(Seal(sealed, b"state", 0, NOW))
        with pytest.raises(Conflict):
            await backend.seal(Seal(_numbered(await backend.unsealed(9), 1), b"other", 0, NOW))
        assert await backend.document(CHAIN) == (1, b"state")
        assert await backend.sealed(0, 9) == list(sealed)
        assert await backend.sealed(1, 9) == [sealed[1]]
        assert [line.note.reason for line in await backend.unsealed(9)] == ["2"]

    async def test_old_lines_leave_the_chain(self, case: Case, backend: Backend) -> None:
        """But for revoked consents, whose hash may be another then."""
        actions = ("pause", "revoke_consent", "resume")
        await case.commit(notes=tuple(Note(NOW, "ada", each, "y", "z") for each in actions))
        sealed = _numbered(await backend.unsealed(9), 1)
        await backend.seal(Seal(sealed, b"one", 0, NOW))
        kept = msgspec.structs.replace(sealed[1], hash=bytes(32))
        await backend.seal(Seal((kept,), b"two", 1, NOW, prune=2))
        assert await backend.sealed(0, 9) == [kept, sealed[2]]

    async def test_events_are_summed_by_day(self, backend: Backend, case: Case) -> None:
        """In the order of their positions, no more than asked for, none beyond the last."""
        assert await backend.summed(0, NEVER, 10) == EventSums(0)
        for case.now in (NOW, NOW + DAY, NOW, NOW + DAY):
            change = case.transition(await case.take(), Verb.DIE, Result.ERROR)
            await case.apply(msgspec.structs.replace(change, excerpt=b"\x00<no>"))
        events = await backend.events(EventQuery(after=0))
        positions = [each.position for each in events]
        whole = await backend.summed(0, NEVER, 10)
        today = NOW // DAY
        assert (whole.last, whole.count) == (positions[-1], 4)
        assert [(each.day, each.count) for each in whole.sums] == [(today, 2), (today + 1, 2)]
        assert await backend.summed(0, NEVER, 10) == whole
        assert await backend.summed(0, positions[-1], 4) == whole
        first = await backend.summed(0, NEVER, 1)
        assert (first.last, first.count) == (positions[0], 1)
        same = await backend.summed(0, positions[0], 10)
        assert same == first
        others = [await backend.summed(each, NEVER, 1) for each in positions[:-1]]
        digests = {each.sums[0].digest for each in (first, *others)}
        assert len(digests) == 4
        assert await backend.summed(positions[-1], NEVER, 10) == EventSums(positions[-1])


async def _found(case: Case, **asked: Any) -> list[Note]:
    found = await case.store.lines(LineQuery(**asked))
    return [line.note for line in found.lines]


async def _paged(case: Case, query: LineQuery, *, add: bool = False) -> list[Note]:
    """Return all that the pages show; `add`: lines are written between them."""
    found: list[Note] = []
    for number in range(100):
        page = await case.store.lines(query)
        found += [line.note for line in page.lines]
        if page.cursor is None:
            return found
        query = msgspec.structs.replace(query, cursor=page.cursor)
        if add:
            await case.commit(notes=(Note(NOW + 1000, "eve", "new", "z", str(number)),))
    raise AssertionError("the pages have no end")


def _numbered(lines: list[Line], first: int) -> tuple[Line, ...]:
    return tuple(
        msgspec.structs.replace(line, number=number, hash=bytes([number] * 32))
        for number, line in enumerate(lines, first)
    )
