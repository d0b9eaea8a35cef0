"""(g) What deciding costs: CPU from an outcome to what happens next, without and with rules.

One thread, no network, no store: the lane takes the outcome in (breaker, pace, what it learns),
then the rules that apply are asked, then `decide` says what happens. Each is timed alone on the
thread's own clock, and what the clock itself costs is taken off. Beyond that nothing is left out
but the event and its row, which are written and not decided.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec
from figures import Figure, Result, Round, Size, Tell, column, figure

from holdfast.engine.book import Book, Route
from holdfast.engine.lane import Lane
from holdfast.engine.meter import Meter
from holdfast.engine.rulings import Rulings
from holdfast.engine.sampler import SystemSample
from holdfast.model.attempt import FailureClass, Outcome
from holdfast.model.attempt import Result as Answer
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Catalog, Limits
from holdfast.model.lane import Breaker, LaneState
from holdfast.model.message import Message
from holdfast.model.policy import CostStop, PolicySettings, Strategy
from holdfast.model.rule import DeliveryRule, Effects
from holdfast.policy.decide import decide
from holdfast.store import Waiting
from holdfast.testing.rig import catalog, recipient
from holdfast.vault import Vault

TITLE = "Deciding"
TRIES = 20_000
NOW = 1_750_000_000_000
GOOD = Outcome(Answer.SUCCESS, http_status=200)
BAD = Outcome(Answer.ERROR, retryable=True, failure_class=FailureClass.SERVER, http_status=503)
FAILS = 0.05
"""Share of the sends that fail, as the breaker's defaults take for usual."""
MANY = 8
WELL = LaneState("acme", Breaker(last_success_at=NOW + 10**9))
"""It has taken something since, so that a failure is the delivery's own trouble."""
WHEN = 'message.value >= 100.0 && attempt.class == "server" && attempt.counted < 3'


def measure(size: Size, tell: Tell) -> Result:
    """Time decisions of several kinds."""
    tries = size.of(TRIES, 200)
    rounds: list[Round] = []
    for number in range(size.rounds):
        tell(f"round {number + 1}: {tries} decisions of each kind")
        rounds.append(_round(tries, number))
    return Result(tuple(_figures(rounds)), tuple(rounds))


def _round(tries: int, seed: int) -> Round:
    adaptive = PolicySettings(strategy=Strategy.ADAPTIVE)
    stop = PolicySettings(cost_stop=CostStop(attempt_cost=0.01))
    clock = _median(lambda _: None, tries)
    cases: dict[str, tuple[Catalog, Outcome | None]] = {
        "usual": (_catalog(), None),
        "success": (_catalog(), GOOD),
        "failure": (_catalog(), BAD),
        "adaptive": (_catalog(adaptive), BAD),
        "cost_stop": (_catalog(stop), BAD),
        "one_rule": (_catalog(rules=1), BAD),
        "many_rules": (_catalog(rules=MANY), BAD),
    }
    found: dict[str, Any] = {}
    for name, (made, outcome) in cases.items():
        some = tries // 20 if name == "cost_stop" else tries
        found[name] = round(_median(_decider(made, outcome, seed), max(50, some)) - clock, 3)
    found["first_rule"] = round(found["one_rule"] - found["failure"], 3)
    found["each_rule"] = round((found["many_rules"] - found["failure"]) / MANY, 3)
    return found


def _catalog(policy: PolicySettings | None = None, rules: int = 0) -> Catalog:
    made = catalog(recipient(), policy=policy)
    asked = tuple(
        DeliveryRule(name=f"rule {number}", when=WHEN, then=Effects(add_retries=1))
        for number in range(rules)
    )
    return msgspec.structs.replace(made, rules=asked)


def _decider(made: Catalog, outcome: Outcome | None, seed: int) -> Callable[[int], object]:
    """Return what decides about one try; without an outcome one of twenty fails."""
    rng = random.Random(seed)  # dice
    book = Book(made)
    waiting = Waiting(_delivery(), _message())
    route = book.route(waiting.delivery)
    rulings, lane = _rulings(), Lane(made.recipients["acme"], WELL)

    def one(number: int) -> object:
        now = NOW + 50 * number
        answer = outcome or (BAD if rng.random() < FAILS else GOOD)
        if lane.state.breaker.failures > 2:
            lane.state = WELL  # a lane that is open decides nothing but holds
        lane.record(answer, started_at=now - 20, now=now, rng=rng, took_ms=20.0)
        policy = route.policy
        if book.ruled and not answer.ok:
            policy = _ruled(rulings, lane, waiting, route, answer=answer, now=now)
        adapts = policy.strategy is Strategy.ADAPTIVE or policy.cost_stop is not None
        kind = answer.failure_class if adapts else None
        facts = lane.facts(now, kind)
        return decide(
            waiting.delivery, answer, policy, facts, now=now, active_ms=20, rng=rng, value=500.0
        )

    return one


def _ruled(
    rulings: Rulings, lane: Lane, waiting: Waiting, route: Route, *, answer: Outcome, now: int
) -> Any:
    """Ask the rules before a send and after its failure, as the executor does."""
    before = rulings.before(lane, waiting, route, now)
    try:
        before.send(None)
    except StopIteration as done:
        verdict = rulings.after(
            done.value,
            route,
            lane,
            waiting.delivery,
            outcome=answer,
            now=now,
            passing=answer.retryable,
        )
        return verdict.policy
    raise RuntimeError("the rules waited for something; the figures are worthless")


def _median(one: Callable[[int], object], tries: int) -> float:
    """Return the median CPU time of a call in microseconds."""
    for number in range(min(500, tries)):
        one(number)
    times = []
    for number in range(tries):
        began = time.thread_time_ns()
        one(number)
        times.append(time.thread_time_ns() - began)
    return statistics.median(times) / 1000


def _rulings() -> Rulings:
    async def history(_: object) -> list[Any]:
        await asyncio.sleep(0)
        return []

    return Rulings(
        limits=Limits(),
        vault=Vault({"k001": bytes(32)}, "k001", bytes(32)),
        meter=Meter(),
        signals=dict,
        system=lambda _, __: SystemSample(0.0, 0.0, 0.0, 0.0, 0, 0.0),
        pending=lambda _: 0,
        history=history,
    )


def _delivery() -> Delivery:
    return Delivery(
        id="dlv_" + "a" * 32,
        message_id="msg_" + "b" * 32,
        account="default",
        flow="leads",
        step="acme",
        recipient="acme",
        priority=5,
        predecessor=None,
        followed=False,
        expires_at=NOW + 10**9,
        created_at=NOW,
        first_attempt_at=NOW,
    )


def _message() -> Message:
    return Message(
        "msg_" + "b" * 32, "default", "leads", None, b"", b"", 0, 500.0, 5, None, None, None, 0,
        NOW + 10**9, NOW,
    )  # fmt: skip


def _figures(rounds: list[Round]) -> list[Figure]:
    return [
        figure("CPU of deciding, without rules", column(rounds, "", "usual"), "us/attempt",
               most=30),
        figure("CPU of the first rule that applies", column(rounds, "", "first_rule"), "us/rule",
               most=15),
        figure(f"CPU of each of {MANY} rules that apply", column(rounds, "", "each_rule"),
               "us/rule", most=15),
        figure("CPU of deciding a success", column(rounds, "", "success"), "us/attempt"),
        figure("CPU of deciding a failure", column(rounds, "", "failure"), "us/attempt"),
        figure("CPU of deciding a failure, adaptive", column(rounds, "", "adaptive"),
               "us/attempt"),
        figure("CPU of deciding a failure, with cost_stop", column(rounds, "", "cost_stop"),
               "us/attempt"),
    ]  # fmt: skip
