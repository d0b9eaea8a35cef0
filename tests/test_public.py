"""The public surface is short, explicit and pinned: names may be added, none renamed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import typer

import holdfast
from holdfast.api import wire
from holdfast.api.door import HANDLERS
from holdfast.api.schema import openapi
from holdfast.cli import app
from holdfast.config import STRATEGIES, Config
from holdfast.engine.sampler import QueueSample, SystemSample
from holdfast.model.delivery import Status
from holdfast.model.policy import JitterKind, PolicySettings, ResponseMapping
from holdfast.model.submission import Receipt, Routed, Submission
from holdfast.store import EventQuery
from holdfast.telemetry import JsonFormatter
from holdfast.testing.channel import Scripted, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import Rig, catalog, recipient, running

COMMANDS = """
    audit breaker cancel check demo discard doctor events keys ls pause prove purge recipients
    redrive replay reschedule resume send show store undo up version watch
"""

ROUTES = """
    GET /healthz
    GET /readyz
    GET /v1/audit
    GET /v1/deliveries
    GET /v1/deliveries/{delivery_id}
    GET /v1/deliveries/{delivery_id}/attempts
    GET /v1/events
    GET /v1/flows
    GET /v1/messages/{message_id}
    GET /v1/recipients
    GET /v1/recipients/{recipient}
    GET /v1/recipients/{recipient}/breaker
    POST /v1/deliveries/{delivery_id}/cancel
    POST /v1/deliveries/{delivery_id}/discard
    POST /v1/deliveries/{delivery_id}/prove
    POST /v1/deliveries/{delivery_id}/redrive
    POST /v1/deliveries/{delivery_id}/reschedule
    POST /v1/deliveries/{delivery_id}/undo
    POST /v1/flows/{flow}/messages
    POST /v1/flows/{flow}/messages/batch
    POST /v1/messages/{message_id}/replay
    POST /v1/purge
    POST /v1/recipients/{recipient}/breaker/open
    POST /v1/recipients/{recipient}/breaker/reset
    POST /v1/recipients/{recipient}/pause
    POST /v1/recipients/{recipient}/resume
"""

EVENT = """
    event_id original_event_id delivery_id message_id account flow step recipient endpoint
    step_type attempt_number generation counted stale trigger trigger_detail failure_reason
    retry_timestamp retry_outcome outcome retryable failure_class request_timestamp
    acknowledgment_timestamp latency_ms processing_time_ms configuration error_details
    success_indicators next_action context
"""


def test_version_is_a_release_number() -> None:
    """The package says its version."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", holdfast.__version__)


def test_commands_are_pinned() -> None:
    """The commands that people and scripts use keep their names."""
    command: Any = typer.main.get_command(app)
    assert set(command.commands) >= set(COMMANDS.split())
    assert set(command.commands["keys"].commands) >= {"new", "rotate"}
    assert set(command.commands["store"].commands) >= {"migrate"}


def test_routes_are_pinned() -> None:
    """The routes keep their methods and paths."""
    paths = msgspec.json.decode(openapi(HANDLERS))["paths"]
    found = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert found >= {line.strip() for line in ROUTES.strip().splitlines()}


def test_a_message_has_these_fields() -> None:
    """What a caller may send, and what it gets back."""
    assert set(Submission.__struct_fields__) >= {
        *("payload", "key", "value", "priority", "quality", "region"),
        *("consent", "not_before", "expires_at"),
    }
    assert set(Receipt.__struct_fields__) >= {"message_id", "deliveries", "duplicate"}
    assert set(Routed.__struct_fields__) >= {"id", "step", "recipient", "status"}


def test_an_event_has_these_fields() -> None:
    """A retry event in JSON carries at least what the seeds ask for (S1.5-S1.20)."""
    assert set(wire.EventView.__struct_encode_fields__) >= set(EVENT.split())


def test_statuses_are_pinned() -> None:
    """A delivery has one of four statuses."""
    assert [str(status) for status in Status] == ["pending", "delivered", "dead", "discarded"]


def test_defaults_are_pinned() -> None:
    """Ports, folder and strategy names that installations rely on stay as they are."""
    config = Config()
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8420)
    assert config.server.metrics_port == 9090
    assert str(config.data) == ".holdfast"
    assert sorted(STRATEGIES) == [
        *("ADAPTIVE", "CIRCUIT_BREAKER", "EXPONENTIAL_BACKOFF", "FIXED_INTERVAL", "HYBRID"),
        *("IMMEDIATE", "JITTER", "LINEAR_BACKOFF"),
    ]


async def journal(rig: Rig) -> list[dict[str, Any]]:
    """Return the whole journal as the API shows it, oldest first."""
    events = await rig.engine.views.events(EventQuery(after=0, limit=1000))
    body = msgspec.json.encode([wire.event(event) for event in events])
    return msgspec.json.decode(body, type=list[dict[str, Any]])


def down_twice() -> Rig:
    """Return a rig whose partner refuses twice with 503 and then takes the lead."""
    answer = Scripted(200, body=b'{"id": "P-7", "price": 12.5}')
    response = ResponseMapping(reference_path="id", price_path="price")
    policy = PolicySettings(jitter=JitterKind.NONE, response=response)
    return Rig(catalog(recipient(), policy=policy), in_order(503, 503, answer))


def test_events_tell_a_chain_of_tries() -> None:
    """Retries are numbered without a gap, share the original event, and say what came next."""
    rig = down_twice()

    async def main() -> list[dict[str, Any]]:
        async with running(rig):
            await rig.send()
            await rig.wait(30)
            return await journal(rig)

    events = run(main(), rig.clock)
    assert [event["attempt_number"] for event in events] == [0, 1, 2]
    assert {event["original_event_id"] for event in events} == {events[0]["event_id"]}
    assert [event["failure_reason"] for event in events] == ["HTTP 503"] * 3
    assert [event["trigger_detail"] for event in events] == ["queue", "backoff", "backoff"]
    assert [event["retry_outcome"] for event in events] == ["failure", "failure", "success"]
    assert {event["step_type"] for event in events} == {"delivery"}
    planned = [event["next_action"]["at"] for event in events]
    assert planned == [*(event["retry_timestamp"] for event in events[1:]), None]
    assert [event["next_action"]["type"] for event in events] == ["retry", "retry", "done"]
    assert [event["processing_time_ms"] for event in events] == [5.0, 5.0, 5.0]
    assert events[0]["error_details"]["http_status"] == 503
    assert events[0]["success_indicators"] is None
    assert events[2]["error_details"] is None
    good = {"http_status": 200, "reference": "P-7", "price": 12.5}
    assert events[2]["success_indicators"].items() >= good.items()


def test_events_tell_how_things_stood() -> None:
    """System, queue and partner are in every event, and the queue's numbers are the store's."""
    rig = down_twice()

    async def main() -> list[dict[str, Any]]:
        async with running(rig):
            await rig.send(3)
            await rig.wait(1)
            return await journal(rig)

    events = run(main(), rig.clock)
    for event in events:
        context = event["context"]
        assert {"system", "queue", "network", "partner"} <= context.keys()
        assert set(SystemSample.__struct_fields__) == context["system"].keys()
        assert all(0 <= context["system"][name] <= 1 for name in ("cpu", "memory", "disk", "busy"))
        assert context["queue"].keys() == set(QueueSample.__struct_fields__)
        assert context["partner"]["breaker"] == "closed"
        assert 0 <= context["partner"]["health"] <= 1


def test_events_keep_the_policy_of_their_time() -> None:
    """An event holds the resolved policy with origins; a later change leaves it as it was."""
    rig = down_twice()

    async def main() -> list[dict[str, Any]]:
        async with running(rig):
            await rig.send()
            await rig.wait(30)
        rig.catalog = msgspec.structs.replace(rig.catalog, policy=PolicySettings(max_retries=9))
        rig.again()
        async with running(rig):
            await rig.send()
            await rig.wait(30)
            return await journal(rig)

    events = run(main(), rig.clock)
    first, last = events[0]["configuration"], events[-1]["configuration"]
    assert (first["max_retries"], first["origin"]["max_retries"]) == (3, "default")
    assert (first["jitter"], first["origin"]["jitter"]) == ("none", "global")
    assert (last["max_retries"], last["origin"]["max_retries"]) == (9, "global")
    assert first["id"] != last["id"]


def test_what_is_masked_is_seen_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """A partner that echoes a lead's number puts it into no event, no log line and no file."""
    ssn = "000-12-9876"
    script = in_order(Scripted(422, body=f'{{"error": "bad ssn {ssn}"}}'.encode()))
    response = ResponseMapping(reason_path="error")
    policy = PolicySettings(response=response)
    rig = Rig(catalog(recipient(), policy=policy, mask=("ssn",)), script)

    async def main() -> list[dict[str, Any]]:
        async with running(rig):
            await rig.send(payload=msgspec.Raw(f'{{"ssn": "{ssn}"}}'.encode()))
            await rig.wait(1)
            return await journal(rig)

    with caplog.at_level("DEBUG", logger="holdfast"):
        (event,) = run(main(), rig.clock)
    assert "bad ssn ***" in event["error_details"]["excerpt"]
    assert rig.channel.sent[0][1].payload == f'{{"ssn": "{ssn}"}}'.encode()
    lines = "\n".join(JsonFormatter().format(record) for record in caplog.records)
    assert "attempt_failed" in lines
    for place in (str(event), lines, rig.connection.serialize("main").decode("latin-1")):
        assert ssn not in place


@pytest.mark.slow
def test_a_message_waits_for_its_own_time() -> None:
    """Nothing is sent before `not_before` (S1.38), and nothing after `expires_at`."""
    rig = Rig(catalog(recipient()))
    start = datetime.fromtimestamp(rig.clock.now() / 1000, UTC)

    async def main() -> None:
        async with running(rig):
            await rig.send(not_before=start + timedelta(hours=2))
            await rig.send(
                not_before=start + timedelta(hours=1), expires_at=start + timedelta(hours=3)
            )
            await rig.engine.actions.pause("acme", actor="ann", reason="closed")
            await rig.wait(1.5 * 3600)
            await rig.engine.actions.resume("acme", actor="ann", reason="open")
            await rig.wait(4 * 3600)

    began = rig.clock.now()
    run(main(), rig.clock)
    hours = [(at - began) / 3_600_000 for at, _ in rig.channel.sent]
    assert hours == pytest.approx([1.5, 2.0], abs=0.01)
