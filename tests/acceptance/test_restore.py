"""Backup, loss, restore and redrive by SQL, as an operator does them, on both stores."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.testing.partner import Partner, answer
from holdfast.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tests.acceptance.conftest import Holdfast, Launch

    from holdfast.testing.postgres import PostgresServer

pytestmark = pytest.mark.slow

DRILL = Path(__file__).parents[2] / "benchmarks" / "restore_drill.py"
RESET = "UPDATE recovery_tasks SET retry_count = 0 WHERE status = 'failed'"
CONFIG = """
[recipients.a]
url = "%s"
allow_private = true
[flows.leads]
[[flows.leads.steps]]
recipient = "a"
"""


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_the_drill(store: str) -> None:
    """Under load, what was acknowledged before the backup survives and is delivered.

    Of what the backup held as delivered nothing is sent again.
    """
    done = subprocess.run(
        [sys.executable, DRILL, "--store", store, "--messages", "200", "--rate", "100"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["lost_from_before_the_backup"] == figures["undelivered"] == 0
    assert figures["sent_again"] <= figures["pending_in_the_backup"]
    assert figures["rto_s"] > figures["restore_s"] > 0


@pytest.fixture(params=["sqlite", "postgres"])
def shell(request: pytest.FixtureRequest) -> Any:
    """Return the database server, or None for the embedded store."""
    return None if request.param == "sqlite" else request.getfixturevalue("server")


@pytest.fixture
def moody() -> Iterator[tuple[Partner, list[int]]]:
    """Give a partner and the status that it answers with."""
    mood = [422]
    with Partner(lambda _: [answer(mood[0])]) as partner:
        yield partner, mood


@pytest.fixture
def holdfast(
    launch: Launch, tmp_path: Path, shell: PostgresServer | None, moody: tuple[Partner, list[int]]
) -> Iterator[Holdfast]:
    """Return a running Holdfast."""
    with launch(tmp_path, CONFIG % moody[0].url) as holdfast:
        if shell is not None:
            shell.empty()
            holdfast.environ["HOLDFAST_STORE"] = shell.url()
            holdfast.data.mkdir(mode=0o700)
            Vault.create(holdfast.data)
        holdfast.up()
        yield holdfast


def execute(holdfast: Holdfast, shell: PostgresServer | None, statement: str) -> None:
    """Run a statement in a shell beside the running process."""
    if shell is not None:
        shell.execute(statement)
        return
    with contextlib.closing(sqlite3.connect(holdfast.store, timeout=30)) as connection, connection:
        connection.execute(statement)


def test_the_statement_of_the_manual_sends_again(
    holdfast: Holdfast,
    shell: PostgresServer | None,
    moody: tuple[Partner, list[int]],
    wait_until: Callable[..., Any],
) -> None:
    """The running process notices by itself, and it is as after a redrive by the API."""
    sent = [holdfast.send("leads", {"n": number})[0] for number in range(4)]
    wait_until(lambda: holdfast.totals()["dead"] == 4, "all are dead")
    by_api, by_sql = sent[:2], sent[2:]
    for each in by_api:
        holdfast.post(f"/v1/deliveries/{each}/redrive", {"reason": "they fixed it"})
    wait_until(lambda: all(holdfast.delivery(e)["attempts"] == 2 for e in by_api), "tried again")
    wait_until(lambda: holdfast.totals()["dead"] == 4, "all are dead again")
    moody[1][0] = 200
    execute(holdfast, shell, RESET)
    wait_until(lambda: holdfast.totals()["delivered"] == 4, "all are delivered", 30)
    for each, generation in [*((e, 2) for e in by_api), *((e, 1) for e in by_sql)]:
        found = holdfast.delivery(each)
        assert (found["generation"], found["attempt"]) == (generation, 1)
        lines = holdfast.get(f"/v1/audit?subject={each}")["items"]
        assert "sql" in {line["actor"] for line in lines}
    keys = {seen.headers["idempotency-key"] for seen in moody[0].seen}
    assert keys == set(sent)


def test_a_restore_needs_the_keys(
    holdfast: Holdfast, shell: PostgresServer | None, run: Callable[..., tuple[int, str]]
) -> None:
    """They are not in the backup: without them, or with others, nothing is made."""
    holdfast.send("leads", {"name": "Ada"})
    backup = str(holdfast.folder / "backup")
    code, text = run("store", "backup", backup)
    assert (code, "The keys are not in it" in text) == (0, True), text
    assert (holdfast.data / "keys.json").read_bytes() not in Path(backup).read_bytes()
    holdfast.stop()
    kept = holdfast.folder / "keys.json"
    shutil.move(holdfast.data / "keys.json", kept)
    shutil.rmtree(holdfast.data)
    if shell is not None:
        shell.empty()
    code, text = run("store", "restore", backup)
    assert (code, "keys.json is missing" in text) == (1, True), text
    Vault.create(holdfast.data)
    code, text = run("store", "restore", backup)
    assert (code, "no backup holds it" in text) == (1, True), text
    assert not holdfast.store.exists()
    shutil.move(kept, holdfast.data / "keys.json")
    code, text = run("store", "restore", backup)
    assert (code, "gave back 1 messages" in text) == (0, True), text
    holdfast.up()
    assert holdfast.totals()["created"] == 1
