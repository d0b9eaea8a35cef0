"""What all lanes have learned together: the parents of a lane's own outage model."""

from collections.abc import Iterable

from holdfast.model.lane import LaneState
from holdfast.model.learned import Tally
from holdfast.policy import forecast, outage

KNOWN = 3.0
"""So many outages make a usual one."""
_NOTHING = Tally()


class Fleet:
    """Sums of the lanes' tallies by failure class, kept as the lanes learn.

    Reading all lanes once at the start is enough: a lane reports each change.
    """

    def __init__(self) -> None:
        self._classes: dict[str, Tally] = {}
        self._parents: dict[str, outage.Hazards] = {}

    def load(self, states: Iterable[LaneState]) -> None:
        """Take in what outlived the last owner."""
        for state in states:
            for kind, tally in state.learned.outages.items():
                self.changed(kind, _NOTHING, tally)

    def changed(self, kind: str, before: Tally, after: Tally) -> None:
        """Put a lane's tally in the place of its earlier one."""
        known = self._classes.get(kind, _NOTHING)
        self._classes[kind] = Tally(
            _moved(known.ended, before.ended, after.ended),
            _moved(known.exposed, before.exposed, after.exposed),
            max(0.0, known.gone + after.gone - before.gone),
            max(known.at, after.at),
        )
        self._parents.clear()

    def parent(self, kind: str) -> outage.Hazards:
        """Return the hazards of a failure class over all lanes."""
        known = self._parents.get(kind)
        if known is None:
            everything = outage.shrunk(outage.PRIOR, outage.total(self._classes.values()))
            known = outage.shrunk(everything, self._classes.get(kind, _NOTHING))
            self._parents[kind] = known
        return known

    def outages(self, kind: str) -> float:
        """Return how many outages of a class are known."""
        return outage.outages(self._classes.get(kind, _NOTHING))


def usual(states: Iterable[LaneState]) -> dict[str, float]:
    """Return recipient -> seconds in which three of four of its outages are over.

    Of a recipient's failure classes the one with most outages counts; fewer than `KNOWN` of them
    say nothing.
    """
    known = list(states)
    fleet = Fleet()
    fleet.load(known)
    found = {}
    for state in known:
        tallies = state.learned.outages
        kind = max(tallies, key=lambda one: outage.outages(tallies[one]), default="")
        if not kind or outage.outages(tallies[kind]) < KNOWN:
            continue
        hazards = outage.shrunk(fleet.parent(kind), tallies[kind])
        within = forecast.recovery_ms(hazards, 0.0, 0, 0.75)
        if within is not None:
            found[state.recipient] = within / 1000
    return found


def _moved(
    total: tuple[float, ...], before: tuple[float, ...], after: tuple[float, ...]
) -> tuple[float, ...]:
    return tuple(max(0.0, a - b + c) for a, b, c in zip(total, before, after, strict=True))
