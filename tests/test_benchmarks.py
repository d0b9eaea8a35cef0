"""The benchmarks run: each scenario once at a tiny size, with all its figures; nothing is timed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[1]
TARGETS: Final = {
    "delivering": {"Holdfast against the bare client"},
    "intake": {"intake against a bare route"},
    "batch": {"batch intake against raw inserts"},
    "backlog": {
        "with the backlog against an empty store, 50 recipients busy",
        "largest memory",
        "start of the process to the first delivery",
    },
    "latency": {"accepted to received, p50", "accepted to received, p99"},
    "deciding": {
        "CPU of deciding, without rules",
        "CPU of the first rule that applies",
        "CPU of each of 8 rules that apply",
    },
    "fairness": {"posted to received, p99, with against without"},
    "postgres": {"PostgreSQL against the embedded store", "statements per delivery"},
    "libraries": {"Holdfast against the best of the libraries"},
    "waiting": {"two million waiting against ten thousand", "largest memory of the worker"},
    "workers": {
        "two workers against one",
        "CPU per delivery, two against one",
        "largest memory of a worker",
    },
}
"""Scenario -> the figures that have a target."""

Bench = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Run `python benchmarks/run.py` with results in `tmp_path`."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, ROOT / "benchmarks/run.py", "--out", tmp_path, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TARGETS))
def test_every_scenario_yields_its_figures(name: str, bench: Bench, tmp_path: Path) -> None:
    """A scenario runs once at a tiny size and yields every figure, with median, range, target."""
    done = bench("--only", name, "--scale", "0.005", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((tmp_path / "benchmarks.json").read_text())
    [scenario] = found["scenarios"]
    figures = scenario["result"]["figures"]
    assert {figure["what"] for figure in figures if figure["target"] is not None} == TARGETS[name]
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures)
    assert any(figure["unit"].startswith("us/") for figure in figures)
    assert scenario["result"]["rounds"]
    page = (tmp_path / "benchmarks.md").read_text()
    assert all(figure["what"] in page for figure in figures)
    assert (tmp_path / "benchmarks.svg").read_text().startswith("<?xml")


@pytest.mark.slow
def test_the_small_benchmark_of_the_package() -> None:
    """`holdfast bench --json` accepts and delivers on a temporary store and says how fast."""
    command = "from holdfast.cli import main; main()"
    options = ("--messages", "300", "--recipients", "3", "--json")
    done = subprocess.run(
        [sys.executable, "-c", command, "bench", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found.pop("messages"), found.pop("recipients")) == (300, 3)
    assert set(found) == {
        "accepted_per_second",
        "delivered_per_second",
        "answer_p50_ms",
        "answer_p99_ms",
        "per_commit",
    }
    assert all(value > 0 for value in found.values())


@pytest.mark.slow
def test_an_unknown_scenario_is_refused(bench: Bench, tmp_path: Path) -> None:
    """The error names the scenarios there are, and nothing is written."""
    done = bench("--only", "speed")
    assert done.returncode == 1
    assert "speed" in done.stderr
    assert "delivering" in done.stderr
    assert list(tmp_path.iterdir()) == []
