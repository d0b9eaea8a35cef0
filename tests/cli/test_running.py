"""Commands that run here: `check`, `keys`, `version`, `doctor`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import holdfast
from holdfast.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Canned, Run

GOOD = """
[recipients.acme]
url = "https://acme.example.com/leads"

[flows.leads]
[[flows.leads.steps]]
name = "to-acme"
recipient = "acme"
"""


def configured(folder: Path, text: str = GOOD) -> str:
    """Write a configuration and return its path."""
    path = folder / "holdfast.toml"
    path.write_text(text)
    return str(path)


def findings(out: str) -> dict[str, tuple[str, str]]:
    """Return what -> (level, advice) of the doctor's JSON."""
    return {item["what"]: (item["level"], item["advice"]) for item in json.loads(out)}


def test_version(run: Run) -> None:
    """The version is one line."""
    code, out, _ = run("version")
    assert (code, out.startswith(f"holdfast {holdfast.__version__}")) == (0, True)


def test_check_accepts_a_good_file(run: Run, tmp_path: Path) -> None:
    """A good configuration is summed up."""
    code, out, _ = run("check", "--config", configured(tmp_path))
    assert code == 0
    assert "1 recipients, 1 flows (leads)" in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[recipients", "not valid TOML"),
        (GOOD.replace("acme.example.com", "").replace("https", "x"), "recipients.acme"),
        ("[policy]\nmax_retries = 99\n", "max_retries"),
    ],
)
def test_check_names_what_is_wrong(run: Run, tmp_path: Path, text: str, said: str) -> None:
    """A bad one is one line that names file and place, and exit code 2."""
    code, _, err = run("check", "--config", configured(tmp_path, text))
    assert (code, err.count("\n")) == (2, 1)
    assert "holdfast.toml" in err
    assert said in err


def test_keys_rotate(run: Run, tmp_path: Path) -> None:
    """Rotation adds a key; without keys it says when they are made."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    arguments = ("keys", "rotate", "--config", configured(tmp_path), "--data", str(folder))
    code, _, err = run(*arguments)
    assert (code, "the first `holdfast up` makes it" in err) == (2, True)
    Vault.load(folder, create=True)
    code, out, _ = run(*arguments)
    assert (code, out.startswith("k002 seals")) == (0, True)


def test_keys_new(run: Run, tmp_path: Path) -> None:
    """It makes the keys once; those that are there are never replaced."""
    folder = tmp_path / "data"
    arguments = ("keys", "new", "--config", configured(tmp_path), "--data", str(folder))
    code, out, _ = run(*arguments)
    assert (code, "Copy it to the data folder of every machine" in out) == (0, True)
    made = (folder / "keys.json").read_text()
    code, _, err = run(*arguments)
    assert (code, "keys that are in use are never replaced" in err) == (1, True)
    assert (folder / "keys.json").read_text() == made


def test_doctor_is_content_with_a_healthy_house(canned: Canned, run: Run, tmp_path: Path) -> None:
    """Everything in order: exit code 0, and no line asks for anything."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    Vault.load(folder, create=True)
    canned.on("GET /readyz", {"status": "ready"})
    canned.on("GET /v1/recipients", {"items": []})
    canned.on("GET /v1/workers", {"items": [{"configuration": 3}, {"configuration": 0}]})
    code, out, _ = run(
        *("doctor", "--json", "--config", configured(tmp_path)),
        *("--data", str(folder), "--url", canned.url),
    )
    assert code == 0
    found = findings(out)
    assert set(found.values()) == {("ok", "")}
    wanted = {"python", "openssl", "sqlite", "clock", "configuration", "data folder", "keys"}
    assert wanted | {"disk", "api", "api access", "workers"} == set(found)


def test_doctor_warns_of_workers_with_different_configurations(canned: Canned, run: Run) -> None:
    """It names the command that shows what differs; that is no failure."""
    canned.on("GET /readyz", {"status": "ready"})
    canned.on("GET /v1/recipients", {"items": []})
    canned.on("GET /v1/workers", {"items": [{"configuration": 3}, {"configuration": 2}]})
    _, out, _ = run("doctor", "--json", "--url", canned.url)
    level, advice = findings(out)["workers"]
    assert level == "warn"
    assert advice.startswith("holdfast config diff 3 --against 2")


def test_doctor_says_what_to_do(run: Run, tmp_path: Path, canned: Canned) -> None:
    """Each trouble comes with the next step, and the exit code is 1."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    Vault.load(folder, create=True)
    (folder / "keys.json").chmod(0o644)
    port = canned.url.rpartition(":")[2]
    text = f"[server]\nport = {port}\n[store]\nreserve_bytes = {1024**4}\n"
    code, out, _ = run(
        *("doctor", "--json", "--config", configured(tmp_path, text)),
        *("--data", str(folder), "--url", "http://127.0.0.1:9"),
    )
    assert code == 1
    found = findings(out)
    assert found["data folder"] == ("fail", f"chmod 700 {folder}")
    assert found["keys"][0] == "fail"
    assert found["disk"][0] == "fail"
    assert found["configuration"][0] == "warn"
    assert found["api"][0] == "warn"
    assert found["port"] == ("fail", "another program has it; choose one with: holdfast up --port")


def test_doctor_reads_well(run: Run, tmp_path: Path) -> None:
    """For people each check is a line, with an arrow to what to do."""
    arguments = ("--data", str(tmp_path / "new"), "--url", "http://127.0.0.1:9")
    code, out, _ = run("doctor", "--config", configured(tmp_path, "nonsense"), *arguments)
    assert code == 1
    assert "fail configuration" in out
    assert "-> correct it and run this again" in out


def test_an_unusable_log_is_one_line(run: Run, tmp_path: Path) -> None:
    """The folder of the example in the reference may not be there."""
    text = f"[log]\npath = '{tmp_path}/none/engine.log'\n" + GOOD
    code, _, err = run("up", "--config", configured(tmp_path, text))
    assert (code, err.count("\n"), "error: log.path: cannot write" in err) == (2, 1, True)


def test_a_damaged_store_is_one_line(run: Run, tmp_path: Path) -> None:
    """Also for the command that brings it up to date, and for the doctor."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    Vault.load(data, create=True)
    (data / "holdfast.db").write_text("no database")
    options = ("--config", configured(tmp_path), "--data", str(data))
    code, _, err = run("store", "migrate", *options)
    assert (code, err.count("\n")) == (1, 1)
    code, out, _ = run("doctor", "--json", *options, "--url", "http://127.0.0.1:9")
    assert (code, findings(out)["store"][0]) == (1, "fail")
    assert {"port", "metrics port"} <= findings(out).keys()
