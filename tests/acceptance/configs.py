"""Texts of the configurations that several of these tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

FLOWS: Final = """
[policy]
initial_delay = 1.0
max_retries = 10
[flows.leads]
[[flows.leads.steps]]
recipient = "a"
[flows.pair]
mode = "sequential"
[[flows.pair.steps]]
recipient = "b"
[[flows.pair.steps]]
recipient = "c"
"""
"""A flow with one step and one with two that come one after the other, to `recipients("abc")`."""


def recipients(names: Iterable[str], port: object, concurrency: int = 64) -> str:
    """Return recipients of those names, all of them at one partner on this machine."""
    return "".join(
        f"""
[recipients.{name}]
url = "http://127.0.0.1:{port}/{name}"
allow_private = true
concurrency = {concurrency}
"""
        for name in names
    )


def lane(number: int, port: object) -> str:
    """Return a recipient and a flow that leads to it alone."""
    name = f"r{number}"
    flow = f'[flows.f{number}]\n[[flows.f{number}.steps]]\nrecipient = "{name}"\n'
    return recipients([name], port, concurrency=8) + flow
