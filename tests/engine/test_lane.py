"""The recipient is the unit of retry: breaker, probes, ramp, fairness."""

from collections import Counter

import msgspec

from holdfast.channel import Request
from holdfast.engine.lane import Lane
from holdfast.model.attempt import FailureClass
from holdfast.model.delivery import Status
from holdfast.model.lane import LaneState
from holdfast.model.policy import BreakerSettings
from holdfast.testing.channel import Script, Scripted, always
from holdfast.testing.clock import START, run
from holdfast.testing.rig import Rig, catalog, recipient, running


def down_for(seconds: float) -> Script:
    """Return a script of a partner that is down until then."""
    until = START + round(seconds * 1000)
    return lambda _, now: Scripted(503 if now < until else 200, takes_ms=5)


def test_a_recipient_that_is_down_is_probed_not_hammered() -> None:
    """Of 500 deliveries only a handful are tried in a ten minute outage, and none dies."""
    rig = Rig(catalog(recipient()), down_for(600))

    async def main() -> None:
        async with running(rig):
            await rig.send(500)
            await rig.wait(599)
            assert len(rig.channel.sent) < 130  # 500 wait: a look each 5 s is what costs least
            assert len(await rig.deliveries(Status.PENDING)) == 500
            await rig.wait(1200)
            assert len(await rig.deliveries(Status.DELIVERED)) == 500

    run(main(), rig.clock)


def test_probes_go_one_at_a_time() -> None:
    """While half open at most one send is under way (S2.39)."""
    flying: list[int] = []
    rig = Rig(catalog(recipient()))

    def script(request: Request, now: int) -> Scripted:
        if now > START + 60_000:
            flying.append(rig.channel.now_flying[request.recipient])
        return Scripted(503, takes_ms=2000)

    rig.channel.script = script

    async def main() -> None:
        async with running(rig):
            await rig.send(50)
            await rig.wait(1800)
            assert len(flying) > 3
            assert set(flying) == {0}

    run(main(), rig.clock)


def test_lane_trouble_uses_no_retries() -> None:
    """Probes that fail are on record but not counted (promise 5)."""
    rig = Rig(catalog(recipient()), down_for(3600))

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(3500)
            (delivery,) = await rig.deliveries()
            assert delivery.status is Status.PENDING
            assert delivery.counted <= 4
            assert delivery.attempts > delivery.counted
            await rig.wait(900)
            (delivery,) = await rig.deliveries()
            assert delivery.status is Status.DELIVERED

    run(main(), rig.clock)


def test_failures_that_opened_the_breaker_are_given_back() -> None:
    """What turned out to be the recipient's trouble uses no retry of the deliveries it hit."""
    rig = Rig(catalog(recipient(concurrency=1)), down_for(20))

    async def main() -> None:
        async with running(rig):
            await rig.send(4)
            await rig.wait(200)
            deliveries = await rig.deliveries()
            assert {d.status for d in deliveries} == {Status.DELIVERED}
            assert {d.counted for d in deliveries} == {1}
            events = await rig.events()
            counted = sum(bool(e["counted"]) for e in events)
            refunded = sum(int(str(e.get("refunded", 0))) for e in events)
            assert refunded == 3
            assert counted - refunded == 4

    run(main(), rig.clock)


def test_a_channel_that_breaks_its_word_keeps_no_slot() -> None:
    """An exception out of a channel is a send without an answer: in doubt and tried again."""
    rig = Rig(catalog(recipient(concurrency=1)))
    broken = [True, True]

    def script(_: Request, __: int) -> Scripted:
        if broken:
            broken.pop()
            raise RuntimeError("a bug in a channel")
        return Scripted(200)

    rig.channel.script = script

    async def main() -> None:
        async with running(rig):
            await rig.send(3)
            await rig.wait(30)
            assert len(await rig.deliveries(Status.DELIVERED)) == 3

    run(main(), rig.clock)


def test_recovery_is_a_ramp_not_a_herd() -> None:
    """After the outage the rate rises in stages of the rate before it (S2.40)."""
    breaker = BreakerSettings(mode="threshold", open_seconds=10, ramp_seconds=10.0)
    rig = Rig(catalog(recipient(breaker=breaker, concurrency=50)))
    outage = (START + 60_000, START + 120_000)

    def script(_: Request, now: int) -> Scripted:
        return Scripted(503 if outage[0] <= now < outage[1] else 200, takes_ms=5)

    rig.channel.script = script

    async def main() -> None:
        async with running(rig):
            for _ in range(120):  # 40 a second for two minutes
                await rig.send(40)
                await rig.wait(1)
            await rig.wait(300)
            assert (await rig.store.counts())["acme"].delivered == 4800
            sent = [at for at, _ in rig.channel.sent if at >= outage[1]]
            per_second = Counter((at - sent[0]) // 1000 for at in sent)
            assert max(per_second[n] for n in range(8)) <= 8
            assert max(per_second.values()) <= 400
            assert len({r.delivery_id for _, r in rig.channel.sent}) == 4800

    run(main(), rig.clock)


def test_breaker_state_survives_a_restart() -> None:
    """An open lane is still open for the next owner."""
    rig = Rig(catalog(recipient()), always(503))

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            await rig.wait(5)
            before = len(rig.channel.sent)
        rig.again()
        async with running(rig):
            await rig.wait(5)
            assert (await rig.engine.views.lane("acme")).breaker == "open"
            assert len(rig.channel.sent) == before

    run(main(), rig.clock)


def test_drop_policy_dead_letters_instead_of_holding() -> None:
    """With `open_policy = drop` nothing waits behind an open breaker, and nothing vanishes (C2)."""
    breaker = BreakerSettings(open_policy="drop")
    rig = Rig(catalog(recipient(breaker=breaker, concurrency=1)), always(503))

    async def main() -> None:
        async with running(rig):
            await rig.send(50)
            await rig.wait(1)
            dead = await rig.deliveries(Status.DEAD)
            assert {d.code for d in dead} == {"CIRCUIT_OPEN"}
            assert len(dead) == 46

    run(main(), rig.clock)


def test_a_hanging_recipient_takes_only_its_share() -> None:
    """One recipient that never answers does not delay the others (promise 6)."""
    others = [recipient(f"p{n}") for n in range(9)]
    rig = Rig(catalog(recipient("hang"), *others))

    def script(request: Request, _: int) -> Scripted:
        return Scripted(200, takes_ms=60_000 if request.recipient == "hang" else 5)

    rig.channel.script = script

    async def main() -> None:
        async with running(rig):
            await rig.send(100)
            await rig.wait(3)
            delivered = await rig.deliveries(Status.DELIVERED)
            assert len(delivered) == 900

    run(main(), rig.clock)


def test_urgent_goes_first_but_ordinary_does_not_starve() -> None:
    """High priority overtakes; what has waited longer than its head start is served (S1.77)."""
    rig = Rig(catalog(recipient(concurrency=1)), always(200, takes_ms=1000))
    order: list[int] = []

    async def main() -> None:
        async with running(rig):
            await rig.send(3, priority=1)
            await rig.send(3, priority=9)
            await rig.wait(30)
            priorities = {d.id: d.priority for d in await rig.deliveries()}
            order.extend(priorities[request.delivery_id] for _, request in rig.channel.sent)
            assert order[1:4] == [9, 9, 9]
            rig.channel.sent.clear()
            await rig.send(1, priority=0)
            for _ in range(900):
                await rig.send(1, priority=9)
                await rig.wait(1)
            low = [
                at
                for at, request in rig.channel.sent
                if request.delivery_id not in priorities
                and (await rig.engine.views.delivery(request.delivery_id)).priority == 0
            ]
            assert low
            assert low[0] - START < 700_000

    run(main(), rig.clock)


def test_weights_share_the_slots() -> None:
    """With too few slots a recipient of weight 3 gets three times the sends of one of weight 1."""
    big, small = recipient("big", weight=3.0), recipient("small")
    rig = Rig(catalog(big, small), always(200, takes_ms=100))
    rig.settings = msgspec.structs.replace(rig.settings, max_in_flight=4)
    rig.again()

    async def main() -> None:
        async with running(rig):
            await rig.send(400)
            await rig.wait(8)
            sent = [request.recipient for _, request in rig.channel.sent]
            assert 2.5 < sent.count("big") / sent.count("small") < 3.5

    run(main(), rig.clock)


def test_payloads_that_do_not_fit_do_not_hold_the_lane() -> None:
    """A missing template field is that message's trouble: the others go on, no gate closes."""
    rig = Rig(catalog(recipient(concurrency=1)))
    unfit = Scripted(error=FailureClass.DATA, error_code="TEMPLATE_FIELD_MISSING")
    answers = [unfit] * 5

    def script(_: Request, __: int) -> Scripted:
        return answers.pop() if answers else Scripted(200)

    rig.channel.script = script

    async def main() -> None:
        async with running(rig):
            await rig.send(10)
            await rig.wait(5)
            assert len(await rig.deliveries(Status.DEAD)) == 5
            assert len(await rig.deliveries(Status.DELIVERED)) == 5
            assert (await rig.engine.views.lane("acme")).gate is None

    run(main(), rig.clock)


def test_gates_that_opened_and_closed_are_on_record() -> None:
    """Past waiting can be explained: every change of the breaker is an audit line with a reason."""
    rig = Rig(catalog(recipient()), down_for(60))

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            await rig.wait(600)
            notes = (await rig.store.notes("acme", 50))[::-1]
            assert {note.actor for note in notes} == {"engine"}
            assert notes[0].detail == "closed -> open"
            assert "4 of 4 sends failed or were slow, 5% is usual" in notes[0].reason
            assert notes[-1].detail == "recovery -> closed"

    run(main(), rig.clock)


def test_a_long_recovery_does_not_end_the_lane() -> None:
    """A backlog that takes 1024 stages is delivered to its end."""
    settings = BreakerSettings(mode="threshold", open_seconds=1, ramp_seconds=0.1)
    slow = recipient(breaker=settings, concurrency=1)

    def script(_: Request, now: int) -> Scripted:
        return Scripted(503 if now < START + 5_000 else 200, takes_ms=1_000)

    rig = Rig(catalog(slow), script)

    async def main() -> None:
        async with running(rig):
            await rig.send(200)
            await rig.wait(400)
            assert len(await rig.deliveries(Status.DELIVERED)) == 200

    run(main(), rig.clock)


def test_a_partner_that_comes_back_slow_gets_more_than_one_at_a_time() -> None:
    """It answers well, but for good takes longer than half of the time-out."""
    flying = 0

    def script(request: Request, now: int) -> Scripted:
        nonlocal flying
        flying = max(flying, rig.channel.now_flying[request.recipient])  # besides this one
        return Scripted(503 if now < START + 60_000 else 200, takes_ms=35_000)

    rig = Rig(catalog(recipient()), script)

    async def main() -> None:
        nonlocal flying
        async with running(rig):
            await rig.send(400)
            await rig.wait(300)
            flying = 0
            await rig.wait(3_600)
            assert flying > 0

    run(main(), rig.clock)


def test_a_clock_that_was_ahead_for_a_while_shortens_no_wish_of_a_partner() -> None:
    """What was asked for before it went wrong stands when it is right again."""
    two_hours = 7_200_000
    lane = Lane(recipient(), LaneState("acme"))
    lane.tick(START)
    lane.hint(START + two_hours, "Retry-After")
    lane.tick(START + 3_600_000)  # the clock is wrong for a moment
    lane.tick(START + 2_000)
    assert lane.state.gate_until == START + two_hours
    lane.tick(START - 3_600_000)  # and it was wrong all the time
    assert lane.state.gate_until == START + two_hours - 3_602_000
