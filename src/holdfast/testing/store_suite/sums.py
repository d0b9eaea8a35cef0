"""Promise 2 under random work: the counters are what the rows add up to."""

from collections import Counter
from random import Random

import msgspec
import pytest

from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Status, Verb, band
from holdfast.model.message import NEVER
from holdfast.model.search import Search
from holdfast.store import Accept, Counts, Retention, Transition
from holdfast.testing.store_suite.case import DAY, Case, Suite

RECIPIENTS = ("north", "east", "south")
CLASSES = ("high", "normal", "low")
ROUNDS = 40


class Walk:
    """Random accepts, changes (some on an old revision) and prunings."""

    def __init__(self, case: Case, seed: int) -> None:
        self._case = case
        self._rng = Random(seed)
        self._seen: list[Delivery] = []
        self._created: Counter[str] = Counter()

    async def step(self) -> None:
        """Commit one random batch, or prune."""
        self._case.now += self._rng.randrange(DAY)
        if self._rng.random() < 0.2:
            before = self._case.now - 2 * DAY
            await self._case.store.prune(self._case.now, Retention(before, before, before, before))
            return
        accepts = tuple(self._accept() for _ in range(self._rng.randrange(4)))
        transitions = tuple(self._change() for _ in range(self._rng.randrange(8)) if self._seen)
        await self._case.commit(accepts=accepts, transitions=transitions)
        for member in accepts:
            self._created.update(each.recipient for each in member.deliveries)
            self._seen += member.deliveries
        for each in transitions:
            found = await self._case.store.get(each.after.id)
            self._seen += [] if found is None else [found]

    async def check(self) -> None:
        """Compare the counters with the rows."""
        expected = {name: dict.fromkeys(Counts.__struct_fields__, 0) for name in self._created}
        for row in (await self._case.store.find(Search(limit=10_000))).deliveries:
            assert (row.status is Status.PENDING) == (row.ended_at == 0)
            sums = expected[row.recipient]
            sums[row.status] += 1
            if row.status is Status.PENDING:
                sums[CLASSES[band(row.priority, 0) // 2]] += 1
        counts = await self._case.store.counts()
        assert counts.keys() == expected.keys()
        for name, sums in expected.items():
            sums["created"] = self._created[name]
            kept = sum(sums[status] for status in Status)
            sums["pruned"] = sums["created"] - kept
            assert msgspec.structs.asdict(counts[name]) == sums

    def _accept(self) -> Accept:
        message = self._case.message(priority=self._rng.randrange(10))
        chain: list[Delivery] = []
        for number in range(length := self._rng.randint(1, 3)):
            delivery = self._case.delivery(
                message,
                recipient=self._rng.choice(RECIPIENTS),
                predecessor=chain[-1].id if chain else None,
                followed=number < length - 1,
                due_at=NEVER if chain else self._case.now,
            )
            chain.append(delivery)
        return Accept(message, tuple(chain))

    def _change(self) -> Transition:
        delivery = self._rng.choice(self._seen[-30:])
        result = self._rng.choice([None, Result.SUCCESS, Result.ERROR])
        verbs = [Verb.SUCCEED] if result is Result.SUCCESS else list(Verb)
        return self._case.transition(delivery, self._rng.choice(verbs), result)


class SumsSuite(Suite):
    """The counters after random work."""

    @pytest.mark.parametrize("seed", range(5))
    async def test_the_counters_are_what_the_rows_add_up_to(self, case: Case, seed: int) -> None:
        """After every batch: created = pending + delivered + dead + discarded + pruned."""
        walk = Walk(case, seed)
        for _ in range(ROUNDS):
            await walk.step()
            await walk.check()
