"""The public surface is short, explicit and pinned: names may be added, none renamed."""

import re
from typing import Any

import msgspec
import typer

import holdfast
from holdfast.api import wire
from holdfast.api.door import HANDLERS
from holdfast.api.schema import openapi
from holdfast.cli import app
from holdfast.config import STRATEGIES, Config
from holdfast.model.delivery import Status
from holdfast.model.submission import Receipt, Routed, Submission

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
    assert set(command.commands["keys"].commands) >= {"rotate"}
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
        *("CIRCUIT_BREAKER", "EXPONENTIAL_BACKOFF", "FIXED_INTERVAL", "HYBRID"),
        *("IMMEDIATE", "JITTER", "LINEAR_BACKOFF"),
    ]
