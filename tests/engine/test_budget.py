"""The retry budget in the running engine: it defers retries, drops none, and spares first tries."""

import random
from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.channel import Request
from holdfast.model.delivery import Status
from holdfast.model.flow import Account, Catalog
from holdfast.model.throttle import BudgetSettings
from holdfast.testing.channel import Script, Scripted
from holdfast.testing.clock import START, run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

TIGHT = BudgetSettings(ratio=0.0, min_rate=1.0)


def failing_first(times: int) -> Script:
    """Return a script that fails each delivery so often and then takes it."""
    seen: dict[str, int] = defaultdict(int)

    def script(request: Request, _: int) -> Scripted:
        seen[request.delivery_id] += 1
        return Scripted(503 if seen[request.delivery_id] <= times else 200)

    return script


def retries(rig: Rig, until: int) -> int:
    """Return how many retries were sent by then."""
    return sum(at <= until and request.attempt > 0 for at, request in rig.channel.sent)


@pytest.mark.slow
def test_retries_wait_for_the_budget_and_none_is_lost() -> None:
    """200 failures that fail again: 10 retries at once, then one a second; all end delivered."""
    partner = recipient(breaker=NO_BREAKER, budget=TIGHT)
    rig = Rig(catalog(partner), failing_first(2))

    async def main() -> None:
        async with running(rig):
            await rig.send(200)
            for second in (10, 30, 60, 120, 300):
                await rig.wait(START / 1000 + second - rig.clock.now() / 1000)
                assert retries(rig, rig.clock.now()) <= 10 + second + 200  # successes give back
            assert len(await rig.deliveries(Status.DEAD)) == 0
            await rig.wait(600)
            assert len(await rig.deliveries(Status.DELIVERED)) == 200
            metrics = rig.engine.views.metrics()
            assert 'holdfast_deferred_by_budget_total{recipient="acme"}' in metrics

    run(main(), rig.clock)


@pytest.mark.slow
def test_retries_that_only_fail_never_exceed_it() -> None:
    """A partner that takes nothing gets ten retries, and one for each second."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER, budget=TIGHT)), lambda _, __: Scripted(503))

    async def main() -> None:
        async with running(rig):
            await rig.send(300)
            for second in (5, 20, 60, 100):
                await rig.wait(START / 1000 + second - rig.clock.now() / 1000)
                assert retries(rig, rig.clock.now()) <= 10 + second
            assert retries(rig, rig.clock.now()) >= 100

    run(main(), rig.clock)


def test_first_tries_go_on_and_the_wait_is_explained() -> None:
    """While hundreds of retries wait, new messages arrive within a second."""
    partner = recipient(breaker=NO_BREAKER, budget=TIGHT)
    bad: set[str] = set()
    rig = Rig(catalog(partner))
    rig.channel.script = lambda request, _: Scripted(503 if request.message_id in bad else 200)

    async def main() -> None:
        async with running(rig):
            bad.update(str(receipt.message_id) for receipt in await rig.send(400))
            bad.update(d.message_id for d in await rig.deliveries())
            await rig.wait(20)
            lane = await rig.engine.views.lane("acme")
            assert lane.retries_at > rig.clock.now()
            assert lane.gate is None
            waiting = await rig.deliveries(Status.PENDING)
            waits = {one.gate for d in waiting for one in await rig.engine.views.why(d)}
            assert "budget" in waits
            for _ in range(5):
                new = {receipt.message_id for receipt in await rig.send(300)}
                await rig.wait(1)
                sent = {request.message_id for _, request in rig.channel.sent}
                assert new <= sent

    run(main(), rig.clock)


def test_an_account_shares_its_budget() -> None:
    """Two recipients with ample budgets of their own are bound by their account's."""
    pair = [recipient(name, breaker=NO_BREAKER) for name in ("a", "b")]
    both: Catalog = msgspec.structs.replace(
        catalog(*pair), accounts={"default": Account(budget=TIGHT)}
    )
    rig = Rig(both, lambda _, __: Scripted(503))

    async def main() -> None:
        async with running(rig):
            await rig.send(100)
            await rig.wait(30)
            assert 20 <= retries(rig, rig.clock.now()) <= 10 + 30

    run(main(), rig.clock)


def test_probes_need_no_budget() -> None:
    """A lane whose budget is empty still finds out that its recipient is back."""
    poor = BudgetSettings(ratio=0.0, min_rate=0.01)
    until = START + 600_000
    rig = Rig(catalog(recipient(budget=poor)), lambda _, now: Scripted(503 if now < until else 200))

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            await rig.wait(1500)
            delivered = await rig.deliveries(Status.DELIVERED)
            assert len(delivered) >= 3

    run(main(), rig.clock)


def test_a_budget_that_is_off_counts_nothing() -> None:
    """Both off: retries go out when they are due."""
    off = BudgetSettings(enabled=False)
    free: Catalog = msgspec.structs.replace(
        catalog(recipient(breaker=NO_BREAKER, budget=off)),
        accounts={"default": Account(budget=off)},
    )
    rig = Rig(free, failing_first(1))

    async def main() -> None:
        async with running(rig):
            await rig.send(500)
            await rig.wait(10)
            assert len(await rig.deliveries(Status.DELIVERED)) == 500
            assert rig.engine.lane("acme").budget is None

    run(main(), rig.clock)


@pytest.mark.slow
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_no_number_of_restarts_lets_more_through(seed: int) -> None:
    """Crashes and clean stops in any order: ten retries, and one for each second, no more."""
    rng = random.Random(seed)
    rig = Rig(
        catalog(recipient(breaker=NO_BREAKER, budget=TIGHT)),
        lambda _, __: Scripted(503),
        seed=seed,
    )

    async def main() -> None:
        for _ in range(6):
            await rig.engine.start()
            await rig.send(40)
            await rig.wait(rng.choice([0.01, 1, 5, 20]))
            if rng.random() < 0.6:
                await rig.crash()
            else:
                await rig.engine.stop()
                rig.again()

    run(main(), rig.clock)
    for at, _ in rig.channel.sent:
        assert retries(rig, at) <= 10 + (at - START) / 1000 + 1
