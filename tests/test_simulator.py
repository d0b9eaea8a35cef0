"""The engine keeps its promises in thousands of simulated crashes and faults."""

import os
import subprocess
import sys

import msgspec
import pytest

from holdfast.testing.simulator import Report, Simulation, simulate
from holdfast.testing.simulator.__main__ import main
from holdfast.testing.simulator.ledger import Ledger, Promise
from holdfast.testing.simulator.many import Sum, reports
from holdfast.testing.simulator.world import ALONE, TOGETHER

QUICK = 12
"""Seeds of the small set, which runs with every check."""
MANY = 780
"""Seeds of the large set."""
CREW = 4
"""Most workers at once where several share a store."""
CREW_QUICK = 6
CREW_MANY = 60


def kept(total: Sum) -> None:
    """Fail with the words and the command of every seed that broke a promise."""
    assert not total.failed, "\n".join(report.explain() for report in total.failed)


@pytest.mark.parametrize("seed", range(1, QUICK + 1))
def test_the_promises_hold(seed: int) -> None:
    """In a random world with faults, crashes and people every promise is kept."""
    report = simulate(seed)
    assert not report.violations, report.explain()


@pytest.mark.slow
def test_the_promises_hold_half_a_million_times() -> None:
    """500,000 attempts with 5,000 crashes, every kind of fault 100 times and more."""
    total = Sum()
    for report in reports(range(1_000, 1_000 + MANY), jobs=os.cpu_count() or 1):
        total.add(report)
    kept(total)
    assert total.attempts >= 500_000
    assert total.crashes >= 5_000
    assert not {fault: total.faults[fault] for fault in ALONE if total.faults[fault] < 100}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, CREW_QUICK + 1))
def test_the_promises_hold_with_several_workers(seed: int) -> None:
    """With wrong clocks, pauses, cuts, hand-overs and take-overs every promise is kept."""
    report = simulate(seed, CREW)
    assert not report.violations, report.explain()


@pytest.mark.slow
def test_the_promises_hold_through_hundreds_of_take_overs() -> None:
    """A share of the whole run, which is one command: docs/explanation/simulator.md."""
    total = Sum()
    seeds = range(1_000, 1_000 + CREW_MANY)
    for report in reports(seeds, workers=CREW, jobs=os.cpu_count() or 1):
        total.add(report)
    kept(total)
    assert total.attempts >= 40_000
    assert total.take_overs >= 400
    assert total.hand_overs >= 300
    assert not {fault for fault in TOGETHER if not total.faults[fault]}


@pytest.mark.slow
def test_a_seed_gives_the_same_journal_every_time() -> None:
    """Journal and deliveries are the same byte for byte, also in another process."""
    first, second = simulate(7), simulate(7)
    assert first == second
    program = "from holdfast.testing.simulator import simulate; print(simulate(7).digest)"
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == first.digest
    assert simulate(3, CREW) == simulate(3, CREW)


@pytest.mark.slow
def test_other_seeds_are_other_worlds() -> None:
    """Seeds do not repeat each other."""
    assert len({simulate(seed).digest for seed in range(20, 24)}) == 4


def test_a_broken_promise_comes_with_its_story_and_the_command() -> None:
    """The report names the promise, tells the delivery's story and says how to run it again."""
    simulation = Simulation(3)
    ledger = simulation.ledger
    ledger.tell(1_000.0, 1, "dlv_1", "send 0")
    ledger.broken(Promise.ONCE, "dlv_1 was sent twice", "dlv_1")
    simulation.connection.close()
    report = Report(
        seed=3,
        attempts=1,
        messages=1,
        deliveries=1,
        crashes=0,
        faults={},
        virtual_s=1.0,
        digest="",
        violations=tuple(ledger.violations),
    )
    text = report.explain()
    assert "python -m holdfast.testing.simulator --seed 3" in text
    assert "3 nothing is sent twice: dlv_1 was sent twice" in text
    assert "1.000 s  process 1  send 0" in text
    several = msgspec.structs.replace(report, workers=4)
    assert several.command == "python -m holdfast.testing.simulator --seed 3 --workers 4"


def test_the_command_shows_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m holdfast.testing.simulator` sums up attempts, crashes and faults by kind."""
    assert main(["--seed", "5", "--runs", "2", "--jobs", "1"]) == 0
    shown = capsys.readouterr().out
    for what in ("attempts", "crashes", "fault: zombie", "broken promises"):
        assert what in shown
    assert main(["--seed", "5", "--workers", "2"]) == 0
    shown = capsys.readouterr().out
    for what in ("take-overs", "lanes handed over", "journal"):
        assert what in shown


def test_the_command_refuses_nonsense(capsys: pytest.CaptureFixture[str]) -> None:
    """No runs is an error that names the option."""
    with pytest.raises(SystemExit):
        main(["--runs", "0"])
    assert "--runs" in capsys.readouterr().err


def test_the_ledger_notices_a_lane_that_goes_on_after_a_pause() -> None:
    """A pause that was answered binds; one that was lifted meanwhile does not."""
    ledger = Ledger({"p0": 1}, 1)
    ticket = ledger.stopping("p0", "paused", 1.0, 1)
    ledger.go("p0", "paused", 2.0, 1)
    ledger.stop("p0", "paused", 5.0, ticket)
    assert not ledger._stopped
    ledger.stop("p0", "paused", 6.0, ledger.stopping("p0", "paused", 5.5, 1))
    assert ledger._stopped == {("p0", "paused"): 6.0}
