"""A study compares policies fairly: the same luck for all, the same result for the same seed."""

import random
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from holdfast.errors import InvalidInput
from holdfast.lab import oracle, study
from holdfast.lab.compare import Interval, compare, interval
from holdfast.lab.measure import Figures
from holdfast.lab.plot import plot
from holdfast.lab.product import NAME
from holdfast.lab.scenario import Fault, Poison, Profile, Scenario, Setup, named, setup, shipped
from holdfast.lab.world import World
from holdfast.model.policy import PolicySettings

SMALL = Scenario(
    id="S1",
    title="a small blip",
    partners=(Profile(rates=((120.0, 10.0),), capacity=20.0, faults=(Fault(at=20, seconds=30),)),),
    limit=3600,
)


def played(
    scenario: Scenario, *policies: str, seed: int = 1, given: Setup | None = None
) -> study.Done:
    """Run one world."""
    chosen = study.chosen(list(policies))
    return study.play(study.Job(scenario, seed, chosen, given or Setup(), draw=True))


def test_holdfast_spares_the_partner_in_a_blip() -> None:
    """In S1 Holdfast loses nothing, peaks below full jitter and wastes less than a tenth."""
    figures = played(SMALL, "B2").figures
    ours, theirs = figures[NAME], figures["B2"]
    assert ours.recovered == theirs.recovered == 1
    assert ours.wasted_per_message < theirs.wasted_per_message / 10
    assert ours.peak is not None
    assert theirs.peak is not None
    assert ours.peak < theirs.peak
    assert ours.detect_s is not None
    assert ours.detect_s < 5


@pytest.mark.slow
def test_a_flapping_partner_is_used_while_it_is_up() -> None:
    """In ten minutes of S7a four fifths of the up-time are used; probes are 5 s apart or more."""
    profile = named(["S7a"])[0].partners[0]
    fault = msgspec.structs.replace(profile.faults[0], seconds=600.0)
    profile = msgspec.structs.replace(profile, rates=((900.0, 10.0),), faults=(fault,))
    ours = played(Scenario(id="S7", title="", partners=(profile,))).figures[NAME]
    assert ours.recovered == 1
    assert ours.goodput is not None
    assert ours.goodput >= 0.8
    assert ours.probes_per_second is not None
    assert ours.probes_per_second <= 0.2


def test_the_oracle_is_the_bound() -> None:
    """Nobody is sooner through than the oracle, which wastes nothing and fills the capacity."""
    figures = played(SMALL, "B2", "B6").figures
    best = figures[study.ORACLE]
    assert (best.wasted_per_message, best.drain, best.unwell_s) == (0, 1, 0)
    assert best.peak == pytest.approx(1, abs=0.05)
    drains = [figures[policy].drain for policy in (NAME, "B2", "B6")]
    assert all(drain is not None and 0 < drain <= 1 for drain in drains)


@pytest.mark.slow
def test_a_seed_gives_the_same_run_again() -> None:
    """The same seed gives the same figures and series, another seed others."""
    first, again = (played(SMALL, "B2", "B10") for _ in range(2))
    assert (first.figures, first.series) == (again.figures, again.series)
    assert played(SMALL, "B2", "B10", seed=2).figures != first.figures


def test_all_policies_meet_the_same_luck() -> None:
    """Arrivals, faults and the partner's own draws do not depend on who sends."""
    flapping = Fault(at=5, seconds=90, up=5, down=5, random=True)
    scenario = Scenario(id="T", title="", partners=(Profile(faults=(flapping,)),))
    worlds = [World(scenario, 7) for _ in range(2)]
    oracle.run(worlds[0])
    assert worlds[0].arrivals == worlds[1].arrivals
    assert worlds[0].spans == worlds[1].spans
    assert len(worlds[0].spans[0]) > 3


def test_what_is_healthy_for_days_is_skipped() -> None:
    """Around faults only there are arrivals, and a run of ten days takes no longer for it."""
    fault = Fault(at=100, seconds=864_000, every=86_400.0, shape=2.5, scale=60.0)
    profile = Profile(rates=((864_000.0, 0.5),), faults=(fault,), around_faults=60.0)
    scenario = Scenario(id="T", title="", partners=(profile,))
    world = World(scenario, 3)
    assert 100 < len(world.arrivals) < 0.01 * 864_000 * 0.5
    assert played(scenario, "B2", seed=3).figures[NAME].recovered == 1


def test_poison_dies_and_good_messages_do_not() -> None:
    """A 422 costs one send with Holdfast, and no good message dies of it."""
    poisoned = Profile(rates=((60.0, 10.0),), poison=Poison(share=0.1))
    figures = played(Scenario(id="T", title="", partners=(poisoned,)), "B1").figures
    assert (figures[NAME].sends_of_lost, figures[NAME].false_dead) == (1, 0)
    assert figures["B1"].sends_of_lost == 4


def test_a_key_that_is_set_right_lets_the_lane_go_on() -> None:
    """After a rotation the lane is held until a person resumes it; then all is delivered."""
    refused = Fault(at=10, seconds=30, answer=401)
    rotated = Profile(rates=((60.0, 2.0),), capacity=1000.0, faults=(refused,))
    figures = played(Scenario(id="T", title="", partners=(rotated,), limit=600), "B0").figures
    assert figures[NAME].recovered > 0.95
    assert figures[NAME].wasted_per_message < 0.05


def test_a_policy_of_ones_own_is_used() -> None:
    """A set-up reaches the engine: with one retry, poison that looks soft dies after two sends."""
    sick = Profile(rates=((60.0, 5.0),), poison=Poison(share=0.1, answer=500))
    scenario = Scenario(id="T", title="", partners=(sick,))
    given = Setup(policy=PolicySettings(max_retries=1), recipient={"breaker": {"enabled": False}})
    assert played(scenario, "B0", given=given).figures[NAME].sends_of_lost == 2


def test_every_scenario_of_the_issue_is_shipped() -> None:
    """S1 to S11 are there, each with a title and a question, and each can be drawn."""
    found = shipped()
    assert {each.id.rstrip("abcde") for each in found} == {f"S{n}" for n in range(1, 12)}
    assert all(each.title and each.about for each in found)
    assert [each.id for each in named(["S9"])] == ["S9a", "S9b"]


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    """A scenario and a set-up are read from TOML; what is wrong is named with its range."""
    file = tmp_path / "mine.toml"
    file.write_text('id = "mine"\ntitle = "t"\n[[partners]]\ncapacity = 7.0\n')
    assert named([str(file)])[0].partners[0].capacity == 7
    file.write_text('id = "mine"\ntitle = "t"\n[[partners]]\ncapacity = -7.0\n')
    with pytest.raises(InvalidInput, match=r"partners\.0\.capacity.*0\.01 to 1000000"):
        named([str(file)])
    file.write_text("[policy]\nmax_retries = 2\n[recipient]\nconcurrency = 4\n")
    assert setup(file).policy.max_retries == 2
    for wrong in (
        "[recipient]\nconcurrency = 0\n",
        "[recipient]\nspeed = 1\n",
        "[policy]\nx = 1\n",
    ):
        file.write_text(wrong)
        with pytest.raises(InvalidInput):
            setup(file)
    with pytest.raises(InvalidInput, match="S1, S2"):
        named(["S99"])


@pytest.mark.slow
def test_ratios_are_paired_and_intervals_cover() -> None:
    """Ratios are taken seed by seed; the interval of a median covers it in about 95 of 100."""
    mine = [Figures(recovered=1, peak=1.0), Figures(recovered=1, peak=4.0)]
    other = [Figures(recovered=1, peak=2.0), Figures(recovered=1, peak=8.0)]
    found = compare("T", "t", {NAME: mine, "B2": other})
    assert found.ratios["B2"]["peak"] == Interval(0.5, 0.5, 0.5)
    rng = random.Random(1)
    covered = 0
    for _ in range(200):
        one = interval([rng.gauss(0, 1) for _ in range(30)])
        covered += one.low <= 0 <= one.high
    assert 180 <= covered <= 199


def test_the_plot_is_an_image() -> None:
    """The SVG is well-formed and has a line for each policy in each of its three panels."""
    done = played(SMALL, "B2")
    runs = {policy: [figures] for policy, figures in done.figures.items()}
    svg = plot(compare("S1", "a < b", runs), done.series)
    lines = ET.fromstring(svg).findall("{http://www.w3.org/2000/svg}polyline")  # noqa: S314  # ours
    assert len(lines) == 3 * 3 + 1
