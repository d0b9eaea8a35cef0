"""One command runs everything and writes the page; what it has done it need not do again."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TINY = """
id = "S2"
title = "a tiny outage"
[[partners]]
rates = [[6.0, 20.0]]
warm_seconds = 1.0
faults = [{ at = 1.0, seconds = 1.0 }]
"""
QUOTA = """
id = "S5a"
title = "a tiny quota"
[[partners]]
rates = [[3.0, 40.0]]
quota = { rate = 30.0, burst = 20.0 }
"""


def table(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the script with its files in a folder."""
    scenario = folder / "tiny.toml"
    scenario.write_text(TINY)
    places = ("--page", folder / "docs/found.md", "--keep", folder / "runs.jsonl")
    return subprocess.run(
        [
            *(sys.executable, ROOT / "benchmarks/lab_table.py", "--only", scenario, *places),
            *("--seeds", "2", "--processes", "1", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.mark.slow
def test_the_page_has_tables_targets_and_plots(tmp_path: Path) -> None:
    """Targets, policies, ratios, alarms and the real check are on the page and in the data."""
    (tmp_path / "quota.toml").write_text(QUOTA)
    real = ("--real", str(tmp_path / "quota.toml"), "--real-times", "1", "--real-seeds", "1")
    done = table(tmp_path, "--sends", "100000", *real)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "docs/found.md").read_text()
    for words in ("## Targets", "## S2: a tiny outage", "## False alarms", "Does the model hold?"):
        assert words in page
    assert "| wasted sends by Svix's | S2 |" in page
    assert "![S2](found/S2.svg)" in page
    assert (tmp_path / "docs/found/S2.svg").read_text().startswith("<svg")
    data: dict[str, Any] = json.loads((tmp_path / "docs/found/lab.json").read_text())
    assert {"holdfast", "B2", "B10", "O"} <= set(data["comparisons"][0]["policies"])
    assert data["alarms"]["sends"] == 100_000
    assert {row["what"] for row in data["checks"][0]["rows"]} >= {"sends", "failed", "delivered"}
    assert all(each["reached"] in (True, False) for each in data["targets"])


@pytest.mark.slow
def test_a_broken_off_run_goes_on(tmp_path: Path) -> None:
    """With one of two worlds kept only the other one is run, and the page has both."""
    nothing = ("--sends", "0", "--real-seeds", "0")
    assert table(tmp_path, *nothing).returncode == 0
    kept = tmp_path / "runs.jsonl"
    whole = kept.read_bytes().splitlines(keepends=True)
    page = tables(tmp_path)
    kept.write_bytes(whole[0])
    assert table(tmp_path, *nothing, "--resume").returncode == 0
    again = kept.read_bytes().splitlines(keepends=True)
    assert (len(again), again[0]) == (2, whole[0])
    assert tables(tmp_path) == page


@pytest.mark.slow
def test_one_scenario_is_measured_again_and_the_rest_stays(tmp_path: Path) -> None:
    """The page says so, and keeps its alarms and the machine that it was measured on."""
    assert table(tmp_path, "--sends", "100000", "--real-seeds", "0").returncode == 0
    place = tmp_path / "docs/found/lab.json"
    old = json.loads(place.read_text())
    assert "Measured again" not in (tmp_path / "docs/found.md").read_text()
    assert table(tmp_path, "--again").returncode == 0
    new = json.loads(place.read_text())
    assert (new["alarms"], new["machine"]) == (old["alarms"], old["machine"])
    assert new["comparisons"] == old["comparisons"]
    assert list(new["renewed"]) == ["S2"]
    assert (
        "Measured again after a change that concerns them: S2 "
        in (tmp_path / "docs/found.md").read_text()
    )


def tables(folder: Path) -> list[str]:
    """Return the rows of the page that do not depend on the time a run took."""
    lines = (folder / "docs/found.md").read_text().splitlines()
    return [line for line in lines if line.startswith("| ")]
