"""Commands about numbers from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Canned, Run

SIGNAL = {"name": "market.index", "value": -1.25, "at": "2026-01-01T00:00:00.000Z", "actor": "ann"}


def test_a_signal_is_set_with_a_reason(canned: Canned, run: Run) -> None:
    """The value, also a negative one, goes to the signal's own address."""
    canned.on("PUT /v1/signals/market.index", SIGNAL)
    code, out, err = run("signal", "market.index", "-1.25", "-r", "feed", "--url", canned.url)
    assert (code, out) == (0, "market.index = -1.25\n"), err
    assert canned.body() == {"value": -1.25, "reason": "feed"}


def test_signals_are_listed(canned: Canned, run: Run) -> None:
    """Name, value, time and who set it."""
    canned.on("GET /v1/signals", {"items": [SIGNAL], "next_cursor": None})
    code, out, _ = run("signals", "--url", canned.url)
    assert code == 0
    assert out.startswith("market.index = -1.25, set ")
    assert out.endswith(" by ann\n")
