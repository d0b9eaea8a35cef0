"""What must not start does not: one line says what is wrong and what to do, nothing is changed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from typing import TYPE_CHECKING, Any, Final

import apsw
import pytest

from holdfast.app import check_keys
from holdfast.config import load
from holdfast.errors import VaultError
from holdfast.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Holdfast, Launch

pytestmark = pytest.mark.slow

CONFIG: Final = """
[recipients.acme]
url = "http://127.0.0.1:9/leads"
allow_private = true
[flows.leads]
[[flows.leads.steps]]
recipient = "acme"
"""
OTHER: Final = CONFIG.replace("acme", "other")
REFUSED: Final = 1
USAGE: Final = 2


def registry(holdfast: Holdfast) -> list[tuple[Any, ...]]:
    """Return the versioned documents as stored, but for the audit chain, which moves by itself."""
    query = "SELECT name, version, body FROM documents WHERE name <> 'audit_chain'"
    with holdfast.stored() as connection:
        return connection.execute(query).fetchall()


def complaint(holdfast: Holdfast, *arguments: str, **environ: str) -> tuple[int, str]:
    """Start what must not start; return exit code and the one line that it says."""
    before = len(holdfast.log())
    holdfast.start(*arguments, environ=environ)
    code, said = holdfast.ended()
    lines = [line for line in said[before:].splitlines() if not line.startswith("{")]
    assert len(lines) == 1, said
    assert lines[0].startswith("error: ")
    return code, lines[0]


@pytest.fixture
def holdfast(launch: Launch, tmp_path: Path) -> Iterator[Holdfast]:
    """Return one that was not started yet."""
    with launch(tmp_path, CONFIG) as made:
        yield made


def test_a_signal_changes_the_limit(holdfast: Holdfast, wait_until: Callable[..., Any]) -> None:
    """SIGHUP takes `max_in_flight` from the file; a mistake there changes nothing (S5.45)."""
    holdfast.up()

    def slots() -> int:
        return int(holdfast.get("/v1/workers")["items"][0]["slots"])

    assert slots() == 512
    holdfast.config.write_text("[engine]\nmax_in_flight = 7\n" + CONFIG)
    holdfast.process.send_signal(signal.SIGHUP)
    wait_until(lambda: slots() == 7, "the limit is another")
    holdfast.config.write_text("[engine]\nmax_in_flight = 0\n" + CONFIG)
    holdfast.process.send_signal(signal.SIGHUP)
    wait_until(lambda: holdfast.events("reload_refused"), "it complains")
    assert slots() == 7


@pytest.fixture
def used(holdfast: Holdfast) -> Holdfast:
    """Return one that has run, with a delivery that waits, and was stopped."""
    holdfast.up()
    holdfast.send("leads", {"a": 1})
    assert holdfast.stop() == 0
    return holdfast


def test_a_second_process_changes_nothing(
    holdfast: Holdfast, launch: Launch, tmp_path: Path
) -> None:
    """On the data folder of another it ends with an error; the first does not notice."""
    holdfast.up()
    before = registry(holdfast)
    folder = tmp_path / "second"
    folder.mkdir()
    with launch(folder, OTHER) as second:
        code, said = complaint(second, "--data", str(holdfast.data))
    assert code == REFUSED
    assert f"is locked by process {holdfast.process.pid}; only one may run" in said
    assert registry(holdfast) == before
    assert holdfast.send("leads", {"a": 1})
    assert holdfast.get("/v1/flows")["items"][0]["name"] == "leads"
    assert [lane["recipient"] for lane in holdfast.get("/v1/recipients")["items"]] == ["acme"]
    assert holdfast.stop() == 0


def test_a_recipient_with_pending_deliveries_cannot_vanish(used: Holdfast) -> None:
    """A configuration without it is refused, and is not registered either."""
    before = registry(used)
    used.config.write_text(OTHER)
    code, said = complaint(used)
    assert (code, "recipients with pending deliveries are missing: acme" in said) == (USAGE, True)
    assert registry(used) == before
    used.config.write_text(CONFIG)
    used.up()
    assert used.totals()["pending"] == 1


def test_keys_are_needed(used: Holdfast, tmp_path: Path) -> None:
    """Missing, wrong, damaged or readable keys: it says how to recover, and the right ones work."""
    keys, kept = used.data / "keys.json", tmp_path / "kept.json"
    shutil.copy2(keys, kept)
    keys.unlink()
    code, said = complaint(used)
    assert (code, "keys.json is missing" in said, "Restore the file" in said) == (1, True, True)
    assert not keys.exists()
    other = json.loads(kept.read_text())
    other["keys"]["k001"] = other["digest"]
    keys.write_text(json.dumps(other))
    keys.chmod(0o600)
    code, said = complaint(used)
    assert (code, "are not those of" in said, "Put back the keys.json" in said) == (1, True, True)
    keys.write_text("{")
    code, said = complaint(used)
    assert (code, "is damaged" in said, "backup of the data folder" in said) == (1, True, True)
    shutil.copy2(kept, keys)
    keys.chmod(0o644)
    code, said = complaint(used)
    assert (code, f"mode 0644; run: chmod 600 {keys}" in said) == (1, True)
    keys.chmod(0o600)
    used.data.chmod(0o755)
    code, said = complaint(used)
    assert (code, f"allowed: 0700. Run: chmod 700 {used.data}" in said) == (USAGE, True)
    used.data.chmod(0o700)
    used.up()
    assert used.totals()["pending"] == 1


def test_keys_of_before_a_rotation_are_refused(used: Holdfast, tmp_path: Path) -> None:
    """They open what is old, so only the check says it; what waits must not die of it."""
    keys, kept, new = used.data / "keys.json", tmp_path / "kept.json", tmp_path / "new.json"
    shutil.copy2(keys, kept)
    Vault.rotate(used.data)
    shutil.copy2(keys, new)
    used.up()
    used.send("leads", {"a": 2})
    assert used.stop() == 0
    shutil.copy2(kept, keys)
    code, said = complaint(used)
    assert (code, "are not those of" in said, "'k002'" in said) == (1, True, True)
    with pytest.raises(VaultError, match="are not those of"):
        check_keys(load(used.config, {}, {"data": used.data}))
    shutil.copy2(new, keys)
    check_keys(load(used.config, {}, {"data": used.data}))
    used.up()
    assert used.totals()["pending"] == 2


def test_a_first_start_that_was_killed_is_repeated(holdfast: Holdfast) -> None:
    """A store file without anything in it, and without keys, is a first start."""
    holdfast.data.mkdir(mode=0o700)
    holdfast.store.touch(mode=0o600)
    holdfast.up()
    assert holdfast.send("leads", {"a": 1})


@pytest.mark.parametrize("kind", ["sqlite", "text"])
def test_a_foreign_file_is_left_alone(holdfast: Holdfast, kind: str) -> None:
    """A database of another program, or no database, is not touched."""
    holdfast.data.mkdir(mode=0o700)
    if kind == "sqlite":
        apsw.Connection(str(holdfast.store)).execute(
            "CREATE TABLE theirs (x); PRAGMA user_version=7"
        )
    else:
        holdfast.store.write_text("my diary, long enough to be taken for something else\n" * 50)
    before = holdfast.store.read_bytes()
    code, said = complaint(holdfast)
    assert (code, f"{holdfast.store} is not a Holdfast store" in said) == (REFUSED, True)
    assert holdfast.store.read_bytes() == before
    assert not (holdfast.data / "keys.json").exists()


def test_a_store_of_a_newer_version_is_left_alone(used: Holdfast) -> None:
    """It says which version it would take."""
    with apsw.Connection(str(used.store)) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    code, said = complaint(used)
    assert (code, "schema version 99" in said, "newer Holdfast" in said) == (REFUSED, True, True)


def test_a_taken_port(holdfast: Holdfast) -> None:
    """The port and the option for another one are named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        holdfast.port = taken.getsockname()[1]
        code, said = complaint(holdfast)
    assert (code, f"port {holdfast.port} on 127.0.0.1 is taken" in said) == (USAGE, True)
    assert "use --port with another" in said


def test_settings_that_cannot_be_used(holdfast: Holdfast) -> None:
    """No token off loopback, an unknown strategy, broken TOML, bad values: named, with a place."""
    code, said = complaint(holdfast, "--host", "0.0.0.0")
    assert (code, "server.host: '0.0.0.0'" in said, "HOLDFAST_TOKEN" in said) == (2, True, True)
    code, said = complaint(holdfast, RETRY_STRATEGY="SOMETIMES")
    assert (code, "RETRY_STRATEGY: 'SOMETIMES'" in said) == (USAGE, True)
    assert "EXPONENTIAL_BACKOFF" in said
    holdfast.config.write_text(f"{CONFIG}\n[policy]\nmax_retries = = 3\n")
    code, said = complaint(holdfast)
    assert (code, "is not valid TOML" in said, "line 10, column 15" in said) == (2, True, True)
    holdfast.config.write_text(f"{CONFIG}\n[policy]\nmax_retries = 99\n")
    code, said = complaint(holdfast)
    assert (code, "policy.max_retries: 99 is not allowed; allowed: 1 to 10" in said) == (2, True)
    assert not holdfast.data.exists()
