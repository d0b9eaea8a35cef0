"""The lab on the command line."""

import json
from pathlib import Path

import pytest

from holdfast.cli import main

SMALL = """
id = "mine"
title = "a small blip"
limit = 600.0
[[partners]]
rates = [[60.0, 5.0]]
faults = [{ at = 10.0, seconds = 10.0 }]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    """Give the path of a small scenario."""
    file = tmp_path / "mine.toml"
    file.write_text(SMALL)
    return str(file)


def lab(*words: str) -> None:
    """Run `holdfast lab`."""
    with pytest.raises(SystemExit) as left:
        main(["lab", *words])
    assert left.value.code in (0, None)


def test_list_names_scenarios_and_policies(capsys: pytest.CaptureFixture[str]) -> None:
    """`lab list` shows every scenario and every policy, also as JSON."""
    lab("list")
    text = capsys.readouterr().out
    assert all(name in text for name in ("S1", "S9a", "S11", "B10", "Svix", "holdfast"))
    lab("list", "--json")
    found = json.loads(capsys.readouterr().out)
    assert len(found["scenarios"]) >= 11
    assert found["policies"]["B5"] == "Svix"


def test_run_prints_json_and_writes_plots(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`lab run` of an own scenario gives medians and ratios, and a plot in the folder."""
    out = tmp_path / "out"
    words = ("--seeds", "2", "--processes", "1", "--baseline", "B2", "--out", str(out))
    lab("run", scenario, *words, "--json")
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["scenario"], found["seeds"]) == ("mine", 2)
    assert set(found["policies"]) == {"holdfast", "B2", "O"}
    assert found["policies"]["holdfast"]["recovered"]["median"] == 1
    assert "peak" in found["ratios"]["B2"]
    assert json.loads((out / "lab.json").read_text()) == [found]
    assert (out / "mine.svg").read_text().startswith("<svg")


def test_run_prints_tables(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json there is a table of medians and one of ratios."""
    lab("run", scenario, "--seeds", "1", "--baseline", "B2", "--processes", "2")
    text = capsys.readouterr().out
    assert all(word in text for word in ("mine: a small blip", "Wasted/msg", "Ratios", "B2"))


@pytest.mark.slow
def test_real_compares_with_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`lab real` runs a scenario over sockets and shows each figure beside the model's."""
    file = tmp_path / "mine.toml"
    file.write_text('id = "mine"\ntitle = "all is well"\n[[partners]]\nrates = [[6.0, 20.0]]\n')
    lab("real", str(file), "--times", "2", "--seeds", "1")
    text = capsys.readouterr().out
    assert all(word in text for word in ("mine: all is well", "Real by model", "delivered"))
    lab("real", str(file), "--times", "2", "--seeds", "1", "--json")
    (found,) = json.loads(capsys.readouterr().out)
    rows = {row["what"]: row for row in found["rows"]}
    assert rows["delivered"]["real"] == rows["delivered"]["model"] > 0
    assert rows["failed"]["real"] == 0


def test_real_refuses_what_no_socket_can_show(capsys: pytest.CaptureFixture[str]) -> None:
    """A partner that refuses connections cannot be shown by a socket that listens."""
    with pytest.raises(SystemExit) as left:
        main(["lab", "real", "S1"])
    assert left.value.code == 2
    assert "takes connections" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "allowed"),
    [(("S99",), "S1, S2"), (("S1", "--baseline", "B99"), "B10"), (("none.toml",), "readable")],
)
def test_what_is_unknown_is_named(
    words: tuple[str, ...], allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown scenario, baseline or file is one line with what is allowed."""
    with pytest.raises(SystemExit) as left:
        main(["lab", "run", *words])
    assert left.value.code == 2
    assert allowed in capsys.readouterr().err
