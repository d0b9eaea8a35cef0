"""Holdfast on PostgreSQL from the first command on: keys, refusals, and no password shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from holdfast.stores.postgres.sql import migrations
from holdfast.testing.postgres import PostgresServer
from holdfast.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from tests.acceptance.conftest import Holdfast, Launch

pytestmark = pytest.mark.slow

CONFIG = """
[recipients.a]
url = "http://127.0.0.1:9/"
allow_private = true
[flows.leads]
[[flows.leads.steps]]
recipient = "a"
"""


@pytest.fixture
def holdfast(launch: Launch, tmp_path: Path, server: PostgresServer) -> Iterator[Holdfast]:
    """Return one whose database is named in the environment only; not started."""
    with launch(tmp_path, CONFIG) as holdfast:
        holdfast.environ["HOLDFAST_STORE"] = server.url()
        yield holdfast


def test_from_the_first_command_on(
    holdfast: Holdfast, run: Callable[..., tuple[int, str]], server: PostgresServer
) -> None:
    """No keys are made by itself; each refusal says what to do; no password is ever shown."""
    said = []

    def expect(code: int, words: str, *command: str) -> None:
        found, text = run(*command)
        said.append(text)
        assert (found, words in text) == (code, True), (command, found, text)

    up = ("up", "--port", "0", "--metrics-port", "0")
    expect(0, "pending: 0001_first (pre)", "store", "migrate", "--dry-run")
    latest = len(migrations())
    expect(0, f"went from schema version 0 to {latest}", "store", "migrate")
    expect(1, "holdfast keys new", *up)
    expect(0, "keys.json is made", "keys", "new")
    expect(1, "never replaced", "keys", "new")
    expect(0, "nothing to do", "store", "migrate")
    holdfast.up()
    (delivery,) = holdfast.send("leads", {"name": "Ada"})
    assert holdfast.delivery(delivery)["status"] == "pending"
    expect(0, "nothing to do", "store", "migrate", "--post")
    _, text = run("doctor", "--url", holdfast.url)
    assert f"127.0.0.1:{server.port}/postgres answers, schema version {latest}" in text
    assert holdfast.stop() == 0
    (holdfast.data / "keys.json").unlink()
    Vault.create(holdfast.data)
    expect(1, "are not those of postgresql://127.0.0.1", *up)
    everything = "".join([*said, text, holdfast.log(), holdfast.out()])
    assert server.password not in everything
    assert "postgresql://127.0.0.1" in holdfast.out()


def test_a_server_that_is_down_is_named(
    run: Callable[..., tuple[int, str]], server: PostgresServer
) -> None:
    """It does not start without its store, and says which one it wants."""
    run("keys", "new")
    server.stop()
    try:
        code, text = run("up", "--port", "0", "--metrics-port", "0")
    finally:
        server.start()
    assert code == 1
    assert f"127.0.0.1:{server.port}/postgres cannot be reached" in text
    assert "refused" in text
    assert server.password not in text


def test_the_store_away_is_said_and_passes(
    holdfast: Holdfast,
    run: Callable[..., tuple[int, str]],
    server: PostgresServer,
    wait_until: Callable[..., Any],
) -> None:
    """Without a spool intake answers 503 while the server is down, and goes on by itself."""
    holdfast.environ["HOLDFAST_SPOOL_ENABLED"] = "false"
    run("keys", "new")
    holdfast.up()
    server.stop()
    try:
        answer = holdfast.post("/v1/flows/leads/messages", {"payload": {}, "key": "k"})
        assert answer.status == 503
        assert answer.json["code"] == "STORE_AWAY"
        assert server.password not in answer.body.decode() + holdfast.log()
        wait_until(lambda: holdfast.call("GET", "/readyz").status == 503, "it is not ready")
    finally:
        server.start()
    message = {"payload": {}, "key": "k"}
    wait_until(
        lambda: holdfast.post("/v1/flows/leads/messages", message).status in {200, 202},
        "it accepts again",
    )
    wait_until(lambda: holdfast.call("GET", "/readyz").status == 200, "it is ready again")
    assert holdfast.stop() == 0


FULL_DISK = """
CREATE FUNCTION holdfast.full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON holdfast.messages EXECUTE FUNCTION holdfast.full();
"""


def test_a_full_disk_of_the_server_passes(
    holdfast: Holdfast,
    run: Callable[..., tuple[int, str]],
    server: PostgresServer,
    wait_until: Callable[..., Any],
) -> None:
    """Intake answers 507 while there is no room, and goes on by itself when there is."""
    run("keys", "new")
    holdfast.up()
    server.execute(FULL_DISK)
    message = {"payload": {}, "key": "k"}
    answer = holdfast.post("/v1/flows/leads/messages", message)
    assert (answer.status, answer.json["code"]) == (507, "STORAGE_FULL")
    server.execute("DROP TRIGGER full_disk ON holdfast.messages")
    wait_until(
        lambda: holdfast.post("/v1/flows/leads/messages", message).status == 202,
        "it accepts again",
    )
    assert holdfast.totals()["created"] == 1
    assert holdfast.stop() == 0
