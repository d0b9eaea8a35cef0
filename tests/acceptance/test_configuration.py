"""Versions of the configuration with a real `holdfast up`: kept, shown, approved, refused."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Holdfast, Launch

    from holdfast.testing.postgres import PostgresServer

pytestmark = pytest.mark.slow

CONFIG: Final = """
[engine]
max_in_flight = 64
[recipients.acme]
url = "http://127.0.0.1:9/leads"
allow_private = true
auth = { type = "bearer", token = "s3cret-of-acme" }
[flows.leads]
steps = [{ recipient = "acme" }]
"""
BOUND: Final = CONFIG + "[changes]\napproval = true\n"
OTHER: Final = BOUND.replace("64", "65")
PLACE: Final = "/v1/configurations"
USAGE: Final = 2


@pytest.fixture
def holdfast(launch: Launch, tmp_path: Path) -> Iterator[Holdfast]:
    """Return one that was not started yet."""
    with launch(tmp_path, CONFIG) as made:
        yield made


@pytest.fixture
def bound(holdfast: Holdfast) -> tuple[Holdfast, str, str]:
    """Return one that runs and needs approval from now on, with the tokens of two admins."""
    holdfast.config.write_text(BOUND)
    holdfast.up()
    ada, eve = (
        str(
            holdfast.post(
                "/v1/tokens", {"name": name, "role": "system_admin", "reason": "a test"}
            ).json["secret"]
        )
        for name in ("ada", "eve")
    )
    return holdfast, ada, eve


def stages(holdfast: Holdfast) -> list[tuple[int, str]]:
    """Return the stages of all versions, newest first."""
    return [(one["number"], one["stage"]) for one in holdfast.get(PLACE)["items"]]


def act(holdfast: Holdfast, token: str, path: str, **fields: object) -> tuple[int, Any]:
    """Act as somebody; return the status and the answer."""
    holdfast.token = token
    answer = holdfast.post(PLACE + path, {"reason": "a test", **fields})
    holdfast.token = ""
    return answer.status, answer.json


def refused(holdfast: Holdfast, *arguments: str, **environ: str) -> str:
    """Start what must not start; return the one line that it says."""
    before = len(holdfast.log())
    holdfast.start(*arguments, environ=environ)
    code, said = holdfast.ended()
    lines = [line for line in said[before:].splitlines() if not line.startswith("{")]
    assert (code, len(lines)) == (USAGE, 1), said
    return lines[0]


def again(holdfast: Holdfast, text: str) -> None:
    """Stop it and start it with a file."""
    assert holdfast.stop() == 0
    holdfast.config.write_text(text)
    holdfast.up()


def test_every_start_with_another_file_is_a_version(holdfast: Holdfast) -> None:
    """By the user of the machine, with a line; no secret of it is in the answers."""
    holdfast.up()
    again(holdfast, "# only a comment\n" + CONFIG)
    again(holdfast, OTHER.replace("s3cret-of-acme", "s3cret-of-beta"))
    assert stages(holdfast) == [(2, "current"), (1, "replaced")]
    assert [one["configuration"] for one in holdfast.get("/v1/workers")["items"]] == [2]
    shown = holdfast.get(f"{PLACE}/2")
    assert shown["version"]["author"].startswith("cli")
    assert shown["version"]["loaded_at"]
    assert [one["place"] for one in shown["changes"]] == [
        *("changes", "engine.max_in_flight", "recipients.acme.auth.token"),
    ]
    assert "s3cret" not in str(shown)
    lines = holdfast.get("/v1/audit?subject=configuration:2")["items"]
    assert [(line["action"], line["reason"]) for line in lines] == [
        ("load_configuration", "loaded at start")
    ]
    assert holdfast.get("/v1/audit/verify?after=0&limit=1000")["broken"] is None


def test_the_secrets_of_a_version_are_nowhere_in_the_store(holdfast: Holdfast) -> None:
    """Neither in the file nor in its log; the catalog in force is encrypted, as before."""
    holdfast.up()
    assert stages(holdfast) == [(1, "current")]
    holdfast.kill()
    for path in holdfast.data.glob("holdfast.db*"):
        assert b"s3cret-of-acme" not in path.read_bytes(), path


def test_an_unapproved_change_is_not_loaded(bound: tuple[Holdfast, str, str]) -> None:
    """Not at a start, not by a variable, not by SIGHUP; what ran runs on, and starts again."""
    holdfast, _, _ = bound
    holdfast.config.write_text(OTHER)
    holdfast.process.send_signal(signal.SIGHUP)
    assert holdfast.stop() == 0
    said = refused(holdfast)
    assert "this configuration is not approved; it differs from version 1" in said
    assert f"holdfast config propose {holdfast.config}" in said
    holdfast.config.write_text(CONFIG)  # ends the need for approval: that needs it, too
    assert "is not approved" in refused(holdfast)
    holdfast.config.write_text(BOUND)
    said = refused(holdfast, HOLDFAST_RETENTION_ROWS_DAYS="1")
    assert "sets retention.rows_days, and that goes around" in said
    holdfast.up()
    assert stages(holdfast) == [(1, "current")]
    assert holdfast.get("/v1/recipients/acme")["recipient"] == "acme"


def test_sighup_takes_only_what_is_approved(
    bound: tuple[Holdfast, str, str], wait_until: Callable[..., Any]
) -> None:
    """The limit stays as it is until somebody else has approved the file."""
    holdfast, ada, eve = bound
    holdfast.config.write_text(OTHER)
    holdfast.process.send_signal(signal.SIGHUP)
    wait_until(lambda: holdfast.events("reload_refused"), "it is refused")
    assert "is not approved" in holdfast.events("reload_refused")[0]["error"]
    assert holdfast.get("/v1/workers")["items"][0]["slots"] == 64
    assert act(holdfast, ada, "", content=OTHER)[0] == 200
    assert act(holdfast, eve, "/2/approve")[0] == 200
    holdfast.process.send_signal(signal.SIGHUP)
    wait_until(lambda: holdfast.events("reloaded"), "it is taken")
    assert holdfast.get("/v1/workers")["items"][0]["slots"] == 65


def test_what_somebody_else_approved_is_loaded(bound: tuple[Holdfast, str, str]) -> None:
    """Whoever proposed it cannot approve it; the journal tells the whole way."""
    holdfast, ada, eve = bound
    status, made = act(holdfast, ada, "", content=OTHER)
    assert (status, made["number"], made["author"]) == (200, 2, "token:ada")
    status, said = act(holdfast, ada, "/2/approve")
    assert (status, said["code"]) == (403, "SELF_APPROVAL")
    assert act(holdfast, eve, "/2/approve")[0] == 200
    again(holdfast, OTHER)
    assert stages(holdfast) == [(2, "current"), (1, "replaced")]
    lines = holdfast.get("/v1/audit?subject=configuration:2")["items"]
    assert [(line["actor"].split(":")[-1], line["action"]) for line in lines[1:]] == [
        *(("eve", "approve_configuration"), ("ada", "propose_configuration")),
    ]
    assert lines[0]["action"] == "load_configuration"


def overridden(holdfast: Holdfast) -> tuple[int, str]:
    """Let its file start without approval; return the exit code and the words."""
    words = ("config", "override", str(holdfast.config), "--data", str(holdfast.data))
    done = subprocess.run(
        [holdfast.command, *words, "--reason", "the house burns"],
        env=os.environ | holdfast.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_machines_own_way(bound: tuple[Holdfast, str, str]) -> None:
    """Explicit, with a reason that is kept; never beside a running one."""
    holdfast, _, _ = bound
    holdfast.config.write_text(OTHER)
    code, said = overridden(holdfast)
    assert (code, "is locked by process" in said) == (1, True)
    assert holdfast.stop() == 0
    code, said = overridden(holdfast)
    assert (code, "version 2: the next start may load" in said) == (0, True), said
    holdfast.up()
    assert stages(holdfast) == [(2, "current"), (1, "replaced")]
    lines = holdfast.get("/v1/audit?subject=configuration:2")["items"]
    assert [(line["action"], line["reason"]) for line in lines] == [
        *(("load_configuration", "the house burns"), ("override_configuration", "the house burns")),
    ]


def test_workers_share_their_versions(
    hire: Callable[..., list[Holdfast]],
    server: PostgresServer,
    wait_until: Callable[..., Any],
) -> None:
    """Started at once with one file they make one version; one with an old file is refused."""
    workers = hire(BOUND, BOUND, BOUND)
    for each in workers:
        each.environ["HOLDFAST_STORE"] = server.url()
        each.start()
    first, second, _ = workers
    for each in workers:
        wait_until(each.ready, "the address is printed")
    assert stages(first) == [(1, "current")]
    first.config.write_text(OTHER)
    code, said = overridden(first)  # beside those that run: a database is for many
    assert (code, "version 2" in said) == (0, True), said
    assert first.stop() == 0
    first.up()
    assert stages(second) == [(2, "current"), (1, "replaced")]
    began = [one["configuration"] for one in second.get("/v1/workers")["items"]]
    assert sorted(began) == [1, 1, 2]
    assert second.stop() == 0
    assert "differs from version 2, which is current" in refused(second)
