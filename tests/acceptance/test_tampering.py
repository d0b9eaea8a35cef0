"""Whoever can write to the store, but has no key, can change a retry event and not hide it."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING, Any, Final

import apsw
import pytest

from holdfast.testing.partner import Partner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Holdfast

    from holdfast.testing.postgres import PostgresServer

pytestmark = pytest.mark.slow

CONFIG: Final = """
[recipients.acme]
url = "http://127.0.0.1:{port}/leads"
allow_private = true
[flows.leads]
steps = [{{ recipient = "acme" }}]
"""
CHANGE: Final = "UPDATE {schema}attempts SET outcome = 'error' WHERE delivery_id = '{id}'"
REMOVE: Final = "DELETE FROM {schema}attempts WHERE delivery_id = '{id}'"


@pytest.fixture(params=["embedded", "postgresql"])
def holdfast(
    request: pytest.FixtureRequest, hire: Callable[..., list[Holdfast]]
) -> Iterator[tuple[Holdfast, PostgresServer | None]]:
    """Return one that was not started yet, and where it stores."""
    server = request.getfixturevalue("server") if request.param == "postgresql" else None
    with Partner() as partner:
        (made,) = hire(CONFIG.format(port=partner.port))
        if server is not None:
            made.environ["HOLDFAST_STORE"] = server.url()
        yield made, server


def meddle(house: Holdfast, server: PostgresServer | None, statement: str, named: str) -> None:
    """Change one event by hand."""
    if server is None:
        with contextlib.closing(apsw.Connection(str(house.store))) as connection:
            connection.execute(statement.format(schema="", id=named))
            assert connection.changes() == 1
    else:
        said = server.execute(statement.format(schema="holdfast.", id=named) + " RETURNING 1")
        assert said.split() == ["1"]


def verified(house: Holdfast) -> tuple[int, str]:
    """Return exit code and words of the check."""
    done = subprocess.run(
        [house.command, "audit", "verify", "--url", house.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("statement", [CHANGE, REMOVE], ids=["changed", "removed"])
def test_a_changed_event_is_found(
    holdfast: tuple[Holdfast, PostgresServer | None],
    wait_until: Callable[..., Any],
    statement: str,
) -> None:
    """`holdfast audit verify` counts the events, and names the line of the one that was changed."""
    house, server = holdfast
    house.up()
    ids = [house.send("leads", {"number": number})[0] for number in range(3)]
    wait_until(house.drained, "all is delivered")
    assert house.stop() == 0
    house.up()
    summed = "/v1/audit?action=sum_events"
    wait_until(lambda: house.get(summed)["items"], "the events are summed up")
    code, said = verified(house)
    assert (code, " and 3 retry events, none changed or removed" in said) == (0, True), said
    assert house.stop() == 0
    meddle(house, server, statement, ids[1])
    house.up()
    code, said = verified(house)
    why = "at least one was changed" if statement is CHANGE else "there were 3, there are 2"
    assert (code, "the audit journal is broken: line" in said, why in said) == (1, True, True), said
