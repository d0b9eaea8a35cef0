"""What outages cost is counted as the figures' descriptions say; the truth is the true hazard."""

import math

import pytest

from holdfast.lab import cost, knowing, study
from holdfast.lab.product import NAME
from holdfast.lab.scenario import Fault, Profile, Scenario, Setup
from holdfast.lab.trace import Trace
from holdfast.lab.world import World
from holdfast.model.learned import EDGES_MS
from holdfast.policy import outage

LAW = Fault(at=100, seconds=200_000, every=20_000.0, shape=2.5, scale=495.0)
FLEET = Scenario(
    id="T",
    title="",
    partners=(
        Profile(count=3, rates=((200_000.0, 0.5),), zipf=1.0, faults=(LAW,), around_faults=60.0),
    ),
)


def test_waiting_and_failed_sends_are_priced() -> None:
    """Two messages wait 4 s and 6 s after the recovery and three sends failed: 10 s and 3 sends."""
    fault = Fault(at=10, seconds=20)
    world = World(Scenario(id="T", title="", partners=(Profile(faults=(fault,)),)), 1)
    trace = Trace(world, world.partners())
    down = [number for number, _ in cost.arrived_down(trace)]
    for number, arrival in enumerate(world.arrivals):
        trace.delivered[number] = max(arrival.at, 30_000)
    trace.delivered[down[0]], trace.delivered[down[1]] = 34_000, 36_000
    trace.partners[0].failed = {11: 1, 15: 1, 31: 1, 9: 5}
    trace.partners[0].offered = {11: 1, 15: 1, 40: 7}
    [found] = cost.outages(trace)
    assert (found.wasted, found.knocks, found.probes) == (3, 2, 1)
    assert found.waiting == len(down)
    assert found.waited_s == pytest.approx(10)
    figures = cost.figures(trace)
    assert figures["cost_balanced"] == pytest.approx(3 * 20 + 10)
    assert figures["cost_attempts_dear"] == pytest.approx(3 * 100 + 10)
    assert figures["knocks_per_second"] == pytest.approx(0.1)
    assert figures["probes_per_second"] == pytest.approx(1 / 18)
    assert "probing_learned" not in figures


def test_the_truth_is_the_laws_hazard() -> None:
    """Added up over the bins the true hazards give the Lomax law's survival at every edge."""
    truth = knowing.hazards(LAW)
    for edge in EDGES_MS:
        survives = (1 + edge / 1000 / LAW.scale) ** -LAW.shape
        assert outage.survival(truth, edge) == pytest.approx(survives)
    assert math.isfinite(sum(truth))


@pytest.mark.slow
def test_who_knows_the_law_probes_no_worse() -> None:
    """Where there is a law the informed arm runs, and learning costs at most half more."""
    done = study.play(study.Job(FLEET, 1, study.chosen(["B5"]), Setup(), draw=False))
    ours, truth = done.figures[NAME], done.figures[knowing.NAME]
    assert truth.recovered == ours.recovered == 1
    assert truth != ours
    assert ours.probing_learned is not None
    assert truth.probing_learned is not None
    assert ours.probing_learned < 1.5 * truth.probing_learned
    assert ours.cost_balanced is not None
    assert done.figures["B5"].cost_balanced is not None
    assert ours.cost_balanced < done.figures["B5"].cost_balanced


def test_without_a_law_nobody_knows_it() -> None:
    """A scenario with fixed outages is run without the informed arm."""
    fixed = Scenario(id="T", title="", partners=(Profile(rates=((30.0, 1.0),)),))
    assert not knowing.knowable(World(fixed, 1))
