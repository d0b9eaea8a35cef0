"""Redrive by SQL: `UPDATE recovery_tasks` from any shell, on stores that a shell can reach."""

from collections.abc import Callable

import msgspec
import pytest

from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.message import NEVER
from holdfast.store import Accept, Counts, Note
from holdfast.testing.store_suite.case import Case, Suite

RESET = "UPDATE recovery_tasks SET retry_count = 0 WHERE status = 'failed'"
"""The statement of the recovery manual, letter by letter (S5.56)."""
MAX_AGE_MS = 259_200_000
"""Without a document `max_ages` the default of the policy counts."""
CHAIN = ("north", "east", "south")

Shell = Callable[[str], str]
"""Runs statements in a program of its own and returns what it printed; fails with its words."""


async def _died(case: Case, **fields: object) -> Delivery:
    """Return a delivery that used its retries."""
    taken = await case.take(**fields)  # type: ignore[arg-type]  # fields of a delivery
    return await case.change(
        taken, Verb.DIE, Result.ERROR, code="RETRY_LIMIT_EXCEEDED", counted=4, attempt=4,
        attempts=4, active_ms=900, last_delay_ms=8000, first_attempt_at=case.now, crashes=1,
        hold_gate="rate", failure_class="server", http_status=500, due_at=NEVER,
    )  # fmt: skip


class ShellSuite(Suite):
    """Not part of `StoreSuite`: a store in memory has no shell. Subclasses give `shell`."""

    @pytest.fixture
    def shell(self) -> Shell:
        """Return what runs statements in a shell of somebody else; the subclass does."""
        raise NotImplementedError

    async def test_the_letter_of_the_manual_redrives(self, case: Case, shell: Shell) -> None:
        """Every dead delivery is as after a redrive; all others are untouched."""
        dead = [await _died(case, priority=priority) for priority in (9, 5, 0)]
        others = [await case.take(), await case.change(await case.take(), Verb.CANCEL)]
        others.append(await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS))
        shell(RESET)
        for before in dead:
            found = await case.get(before)
            assert found == msgspec.structs.replace(
                before, status=Status.PENDING, revision=before.revision + 1,
                generation=before.generation + 1, attempt=0, counted=0, active_ms=0,
                last_delay_ms=0, first_attempt_at=0, crashes=0, code=None, hold_gate=None,
                ended_at=0, due_at=found.updated_at, updated_at=found.updated_at,
                expires_at=found.updated_at + MAX_AGE_MS,
            )  # fmt: skip
            assert found.updated_at > before.updated_at
        assert [await case.get(each) for each in others] == others

    async def test_the_counters_move_with_it(self, case: Case, shell: Shell) -> None:
        """Promise 2 holds, by priority class and for followers in other lanes too."""
        for priority in (9, 5, 0):
            await _died(case, priority=priority)
        await case.change((await case.take_chain(*CHAIN))[0], Verb.DIE)
        shell(RESET)
        assert await case.store.counts() == {
            "north": Counts(created=4, pending=4, high=1, normal=2, low=1),
            "east": Counts(created=1, pending=1, normal=1),
            "south": Counts(created=1, pending=1, normal=1),
        }

    async def test_it_is_due_at_once(self, case: Case, shell: Shell) -> None:
        """The next look of a lane finds it."""
        dead = await _died(case)
        shell(RESET)
        case.now = (await case.get(dead)).due_at
        assert [each.delivery.id for each in (await case.due()).waiting] == [dead.id]
        assert dict(await case.store.due_lanes()) == {"north": case.now}

    async def test_followers_wait_again(self, case: Case, shell: Shell) -> None:
        """Of every depth; but not what a person discarded, nor what is behind that."""
        whole = await case.take_chain(*CHAIN)
        await case.change(whole[0], Verb.DIE)
        cut = await case.take_chain(*CHAIN)
        await case.change(cut[0], Verb.DIE)
        dropped = await case.change(await case.get(cut[1]), Verb.UNDO)
        await case.change(dropped, Verb.DISCARD, code=None)
        shell(RESET)
        root = await case.get(whole[0])
        for each in whole[1:]:
            found = await case.get(each)
            assert (found.status, found.due_at, found.code) == (Status.PENDING, NEVER, None)
            assert (found.hold_gate, found.expires_at) == ("predecessor", root.expires_at)
            assert found.revision == each.revision + 2
        assert (await case.get(cut[0])).status is Status.PENDING
        assert (await case.get(cut[1])).status is Status.DISCARDED
        assert (await case.get(cut[2])).status is Status.DISCARDED

    async def test_what_a_redrive_refuses_stays(self, case: Case, shell: Shell) -> None:
        """A step whose predecessor has not succeeded, and a message without its consent."""
        chain = await case.take_chain(*CHAIN)
        await case.change(chain[0], Verb.CANCEL)
        behind = await case.change(await case.get(chain[1]), Verb.UNDO)
        unwanted = await _died(case)
        revoked = Note(case.now, "ada", "revoke_consent", unwanted.message_id, "asked to")
        await case.commit(notes=(revoked,))
        counts = await case.store.counts()
        shell(RESET)
        assert await case.get(behind) == behind
        assert await case.get(unwanted) == unwanted
        assert await case.store.counts() == counts

    async def test_the_journal_tells(self, case: Case, shell: Shell) -> None:
        """One line per delivery: actor `sql`, the action of a redrive, what it changed."""
        dead = await _died(case)
        shell(RESET)
        found = await case.get(dead)
        (line,) = [n for n in await case.store.notes(dead.id, 10) if n.actor == "sql"]
        assert (line.action, line.at) == ("redrive", found.updated_at)
        assert line.reason.startswith("retry_count set to 0 in recovery_tasks")
        told = msgspec.json.decode(line.detail)
        assert told["generation"] == [0, 1]
        assert told["code"] == ["RETRY_LIMIT_EXCEEDED", None]
        assert told["expires_at"] == [dead.expires_at, found.expires_at]

    async def test_a_change_that_was_decided_before_is_refused(
        self, case: Case, shell: Shell
    ) -> None:
        """The engine's own redrive of the same delivery finds another revision."""
        dead = await _died(case)
        shell(RESET)
        (answer,) = await case.apply(case.transition(dead, Verb.REDRIVE, due_at=case.now))
        assert not answer.applied
        assert (await case.get(dead)).generation == 1

    async def test_its_time_is_that_of_the_configuration(self, case: Case, shell: Shell) -> None:
        """`max_ages` names the step, or the recipient; an own policy may shorten it."""
        ages = {"leads/one/north": 60_000, "//north": 50_000}
        await case.store.put_document("max_ages", msgspec.json.encode(ages), 0, case.now)
        plain = await _died(case)
        orphan = await _died(case, step="gone")
        short = await _died(case, policy='{"max_age":1.5}')
        long = await _died(case, policy='{"max_age":9000}')
        shell(RESET)
        ages_ms = []
        for each in (plain, orphan, short, long):
            found = await case.get(each)
            ages_ms.append(found.expires_at - found.updated_at)
        assert ages_ms == [60_000, 50_000, 1_500, 60_000]

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            ("UPDATE recovery_tasks SET retry_count = 1", "only to 0"),
            ("UPDATE recovery_tasks SET retry_count = NULL", "only to 0"),
            ("UPDATE recovery_tasks SET retry_count = 0, status = 'pending'", "only retry_count"),
            ("UPDATE recovery_tasks SET recipient = 'else', retry_count = 0", "only retry_count"),
            ("UPDATE recovery_tasks SET error_code = NULL, retry_count = 0", "only retry_count"),
            ("UPDATE recovery_tasks SET retry_count = 0", "status 'failed'"),
            ("DELETE FROM recovery_tasks", "recovery_tasks"),
            ("INSERT INTO recovery_tasks (task_id) VALUES ('x')", "recovery_tasks"),
        ],
    )
    async def test_nothing_else_is_allowed(
        self, case: Case, shell: Shell, statement: str, words: str
    ) -> None:
        """The error says what is; nothing changes, not even what was changed before it."""
        dead = await _died(case)
        waits = await case.take()
        with pytest.raises(Exception, match=words):
            shell(statement)
        assert [await case.get(each) for each in (dead, waits)] == [dead, waits]

    async def test_it_shows_every_delivery(self, case: Case, shell: Shell) -> None:
        """Under the manual's names: a retry is counted after the first try."""
        await _died(case)
        await case.take()
        await case.change(await case.take(), Verb.CANCEL)
        await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS, counted=1)
        asked = "SELECT status, retry_count, error_code FROM recovery_tasks ORDER BY status"
        assert shell(asked).split() == [
            "delivered|0|",
            "discarded|0|",
            "failed|3|RETRY_LIMIT_EXCEEDED",
            "pending|0|",
        ]

    async def test_many_at_once(self, case: Case, shell: Shell) -> None:
        """A thousand in one statement, and the sums hold."""
        messages = [case.message() for _ in range(1000)]
        taken = [case.delivery(message) for message in messages]
        pairs = zip(messages, taken, strict=True)
        await case.commit(accepts=tuple(Accept(each, (delivery,)) for each, delivery in pairs))
        await case.apply(*[case.transition(each, Verb.DIE) for each in taken])
        shell(RESET)
        assert (await case.store.counts())["north"] == Counts(
            created=1000, pending=1000, normal=1000
        )
