"""What the conditions of rules can see."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Catalog, Endpoint, Recipient
from holdfast.model.message import NEVER, Message
from holdfast.model.rule import Moment, Signal
from holdfast.policy import expression, precedence
from holdfast.policy.facts import FACTS, LaneSight, Scene, SystemSight, gather, known_at, pick

# A Monday, 2026-03-02 23:30 UTC: already Tuesday in Berlin.
NOW = round(datetime(2026, 3, 2, 23, 30, tzinfo=UTC).timestamp() * 1000)


def scene(**changes: Any) -> Scene:
    """Return a scene; `changes` are fields of the message, delivery, recipient or scene."""

    def taken(kind: type[msgspec.Struct]) -> dict[str, Any]:
        return {name: changes.pop(name) for name in kind.__struct_fields__ if name in changes}

    own = {
        name: changes.pop(name)
        for name in ("lane", "system", "signals", "payload", "outcome", "streak", "now")
        if name in changes
    }
    message = Message(
        "msg_1", "default", "leads", None, b"", b"", 500, 0.0, 5, None, None, None, 0, NEVER, NOW
    )
    delivery = Delivery(
        "dlv_1", "msg_1", "default", "leads", "one", "acme", 5, None,
        followed=False, expires_at=NEVER, created_at=NOW,
    )  # fmt: skip
    where = Recipient(name="acme", endpoints=(Endpoint(url="https://acme.example/"),))
    message = msgspec.structs.replace(message, **taken(Message))
    delivery = msgspec.structs.replace(delivery, **taken(Delivery))
    where = msgspec.structs.replace(where, **taken(Recipient))
    assert not changes, changes
    policy = precedence.resolve(Catalog(), flow=None, step=None, recipient=where)
    fields = {"now": NOW, **own}
    return Scene(message=message, delivery=delivery, recipient=where, policy=policy, **fields)


def test_every_fact_has_its_declared_type() -> None:
    """For an empty and for a full scene, each fact is what its CEL type says."""
    kinds = {"int": int, "double": float, "string": str, "bool": bool, "list(string)": list}
    full = scene(
        value=3.0, quality=7, region="EU", consent="{}", zone="Europe/Berlin", tags=("a",),
        outcome=Outcome(Result.ERROR, retryable=True, failure_class=FailureClass.SERVER,
                        http_status=503, reason="busy"),
        lane=LaneSight("open", 3, 10, 5, 1, 2.0), system=SystemSight(0.1, 0.2, 0.3),
        signals={"market.index": Signal("market.index", 1.5, NOW)},
    )  # fmt: skip
    for one in (scene(), full):
        found = gather(FACTS, one)
        for name, fact in FACTS.items():
            assert isinstance(found[name], kinds.get(fact.kind, dict)), name


@pytest.mark.parametrize(
    ("fact", "changes", "value"),
    [
        ("message.quality", {}, 100),
        ("message.quality", {"quality": 30}, 30),
        ("message.rated", {}, False),
        ("message.age", {"now": NOW + 1500}, 1.5),
        ("now.hour", {"zone": "Europe/Berlin"}, 0),
        ("now.weekday", {}, 1),
        ("now.weekday", {"zone": "Europe/Berlin"}, 2),
        ("now.date", {"zone": "Europe/Berlin"}, "2026-03-03"),
        ("attempt.class", {"failure_class": "server"}, "server"),
        ("attempt.active", {"active_ms": 2500}, 2.5),
        ("lane.failure_share", {"lane": LaneSight(failures=3, calls=10)}, 0.3),
        ("lane.failure_share", {}, 0.0),
        ("lane.p_success", {}, 0.5),
        ("lane.p_success", {"lane": LaneSight(failures=8, calls=8)}, 0.1),
        ("signal_age", {"signals": {"x": Signal("x", 2.0, NOW - 5000)}}, {"x": 5.0}),
    ],
)
def test_values_of_facts(fact: str, changes: dict[str, Any], value: object) -> None:
    """Each fact says what its meaning promises; at the recipient it may be another day."""
    assert gather([fact], scene(**changes)) == {fact: value}


def test_a_moment_knows_what_came_before() -> None:
    """What is known at acceptance stays known; attempts are known from the first send on."""
    accept, send, failure = (known_at(moment).keys() for moment in Moment)
    assert accept < send <= failure == FACTS.keys()
    assert "attempt.number" not in accept


def test_single_values_of_the_payload() -> None:
    """Only declared paths to single values are seen; texts are cut, huge numbers become doubles."""
    payload = {"a": {"b": "x" * 5000, "c": [1]}, "n": 2**70, "t": True, "z": None}
    found = pick(payload, ("a.b", "a.c", "n", "t", "z", "no.way"))
    assert found == {
        "a.b": "x" * 1000, "a.c": None, "n": float(2**70), "t": True, "z": None, "no.way": None
    }  # fmt: skip


def test_conditions_see_only_what_they_name() -> None:
    """A name inside a text is no name; a fact that is named is looked up."""
    condition = expression.compiled('"lane.rate" != "" && message.value > 1.0', Moment.SEND)
    assert condition.facts == {"message.value"}
    condition = expression.compiled('"x" in signals', Moment.SEND)
    assert condition.facts == {"signals"}


def test_every_fact_can_be_named() -> None:
    """Each fact compiles at each moment at which it is known, and evaluates."""
    draw = random.Random(1)
    names = list(FACTS)
    draw.shuffle(names)
    for moment in Moment:
        for name in [one for one in names if one in known_at(moment)]:
            condition = expression.compiled(f"{name} == {name}", moment)
            assert condition.facts == {name}
            assert condition.holds(gather([name], scene()))
