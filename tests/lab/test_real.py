"""Over real sockets the same happens as in the model: the same answers, the same counts."""

import pytest
import uvloop

from holdfast.errors import InvalidInput
from holdfast.lab import real
from holdfast.lab.scenario import Fault, Profile, Quota, Scenario, Setup, named

OUTAGE = Scenario(
    id="outage",
    title="",
    partners=(
        Profile(rates=((16.0, 20.0),), warm_seconds=2.0, faults=(Fault(at=3.0, seconds=5.0),)),
    ),
)
SOON = Setup(recipient={"breaker": {"probe_max_seconds": 2.0}})
QUOTA = Scenario(
    id="quota",
    title="",
    partners=(
        Profile(
            rates=((10.0, 40.0), (6.0, 5.0)), capacity=200.0, quota=Quota(rate=30.0, burst=30.0)
        ),
    ),
)


@pytest.mark.slow
def test_reality_counts_what_the_model_counts() -> None:
    """Everything is delivered once, failed sends are few, and sends agree within 10 %."""
    outage, quota = uvloop.run(real.check([OUTAGE, QUOTA], SOON, times=1.0, seeds=2))
    for check in (outage, quota):
        rows = {row.what: row for row in check.rows}
        assert rows["delivered"].real == rows["delivered"].model
        assert rows["sends"].close
    assert {row.what for row in outage.rows} >= {"late_s", "drained_s", "tts_p99_s", "peak"}
    failed = next(row for row in outage.rows if row.what == "failed")
    assert 4 <= failed.real <= 0.2 * next(r.real for r in outage.rows if r.what == "sends")
    limited = next(row for row in quota.rows if row.what == "limited")
    assert 0 < limited.real < 60
    assert {row.what for row in quota.rows} >= {"quota_used"}


def test_a_shortened_scenario_keeps_its_rates() -> None:
    """Times are divided, rates are not; what no socket of ours can show is refused."""
    (full,) = named(["S2"])
    short = real.shortened(full, 20.0)
    (profile,) = short.partners
    assert profile.rates == ((78.0, 20.0),)
    assert (profile.faults[0].at, profile.faults[0].seconds) == (3.0, 30.0)
    assert (profile.warm_seconds, profile.capacity, profile.latency) == (3.0, 50.0, 0.05)
    for name in ("S1", "S6", "S10"):
        (wrong,) = named([name])
        with pytest.raises(InvalidInput, match="scenario"):
            real.shortened(wrong, 20.0)
