"""`holdfast check`: exit codes and what it prints."""

import asyncio
import json
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.model.lane import LaneState
from holdfast.model.learned import Learned, Tally
from holdfast.policy import outage
from holdfast.store import Batch
from holdfast.stores.sqlite import SqliteStore

URL = '[recipients.acme]\nurl = "{}"\n[flows.leads]\nsteps = [{{recipient = "acme"}}]\n'


def run(folder: Path, text: str, *options: str) -> int:
    """Run the command over a file and return its exit code."""
    file = folder / "holdfast.toml"
    file.write_text(text)
    with pytest.raises(SystemExit) as left:
        main(["check", str(file), *options])
    return int(str(left.value.code or 0))


def test_nothing_to_complain_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good file: one line, exit code 0."""
    assert run(tmp_path, URL.format("https://acme.example/"), "--strict") == 0
    assert capsys.readouterr().out.startswith("the configuration is good: 1 recipients, 1 flows")


def test_warnings_fail_only_when_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning is shown with place and fix; it fails with --strict."""
    text = URL.format("http://acme.example/")
    assert run(tmp_path, text) == 0
    shown = capsys.readouterr().out
    assert "warning recipients.acme.url: http without TLS" in shown
    assert "-> use https://" in shown
    assert "0 errors, 1 warnings, 0 hints" in shown
    assert run(tmp_path, text, "--strict") == 1


def test_errors_fail_and_json_is_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A template without its field is an error; --json gives all fields."""
    text = URL.format("https://acme.example/{{{{x}}}}").replace("{{{{", "{{").replace("}}}}", "}}")
    assert run(tmp_path, text + 'strip = ["x"]\n', "--json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["severity"] == "error"
    assert found["rule"] == "stripped_field"
    assert set(found) == {"severity", "rule", "place", "what", "why", "fix"}


def test_a_file_that_cannot_be_used_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Holdfast would refuse at its start has an exit code of its own."""
    assert run(tmp_path, "[recipients.acme]\n") == 2
    assert "recipients.acme.url" in capsys.readouterr().err


def test_retries_are_compared_with_what_the_store_has_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The store is only looked into, also while it has an owner."""
    tally = Tally()
    for _ in range(20):
        tally = outage.ended(tally, outage.PRIOR, 7_000_000, 7_200_000, 1)
    state = LaneState("acme", learned=Learned(outages={"server": tally}))
    text = URL.format("https://acme.example/") + '[policy]\nexhausted_while_down = "dead"\n'
    text += "total_timeout = 3600.0\n"

    async def fill() -> SqliteStore:
        store = SqliteStore.open(tmp_path / "holdfast.db", inline=True)
        ownership = await store.join(1)
        await store.commit(Batch(ownership.epoch, 1, lanes=(state,)))
        return store

    assert run(tmp_path, text, "--data", str(tmp_path)) == 0
    assert "as learned" not in capsys.readouterr().out
    store = asyncio.run(fill())
    assert run(tmp_path, text, "--data", str(tmp_path)) == 0
    assert "of acme is usual, as learned" in capsys.readouterr().out
    asyncio.run(store.close())
