"""Runs what people use today: every message knocks by its own clock, whatever the others hear."""

from collections import deque

from holdfast.lab.agenda import Agenda
from holdfast.lab.guard import GUARDS
from holdfast.lab.partner import Answer
from holdfast.lab.schedule import Schedule
from holdfast.lab.trace import Trace
from holdfast.lab.world import World


def run(world: World, schedule: Schedule) -> Trace:
    """Return the trace of a baseline."""
    partners = world.partners()
    trace = Trace(world, partners)
    crowd = _Crowd(world, schedule, trace)
    agenda = crowd.agenda
    for number, arrival in enumerate(world.arrivals):
        agenda.at(arrival.at, crowd.send, number)
    agenda.run(world.limit_ms)
    for index, guard in enumerate(crowd.guards):
        trace.opened += [(at, index) for at in guard.openings]
    return trace


class _Crowd:
    """All messages of a run."""

    def __init__(self, world: World, schedule: Schedule, trace: Trace) -> None:
        self.agenda = Agenda()
        self._schedule = schedule
        self._trace = trace
        self._arrivals = world.arrivals
        self._partners = trace.partners
        self._rng = world.stream("policy", schedule.id)
        self.guards = [GUARDS[schedule.guard](self._rng) for _ in trace.partners]
        self._tried = [0] * len(world.arrivals)
        """Tries so far, those that the guard refused included."""
        self._paid: dict[int, int] = {}
        self._answers: dict[int, Answer] = {}
        self._held: list[deque[int]] = [deque() for _ in trace.partners]
        """What waits for the guard's rate, by partner."""
        self._slots = world.scenario.slots
        self._busy = 0
        self._queue: deque[int] = deque()
        self._simple = schedule.guard is None and not self._slots

    def send(self, number: int) -> None:
        """Send a message now, if the guard and the slots let it."""
        partner = self._arrivals[number].partner
        if self._held[partner]:
            self._held[partner].append(number)
            return
        wait = self.guards[partner].admit(self.agenda.now, retry=self._tried[number] > 0)
        if wait < 0:  # to the retry loop above it, that is one more failure
            self._tried[number] += 1
            delay = self._schedule.delay(self._tried[number], self._rng)
            self.agenda.at(self.agenda.now + max(1, round(delay * 1000)), self.send, number)
        elif wait > 0:
            self._held[partner].append(number)
            self.agenda.at(self.agenda.now + wait, self._release, partner)
        else:
            self._take_slot(number)

    def _release(self, partner: int) -> None:
        """Send what waits for the guard's rate, in order, as far as the rate allows now."""
        held = self._held[partner]
        while held:
            wait = self.guards[partner].admit(self.agenda.now, retry=self._tried[held[0]] > 0)
            if wait > 0:
                self.agenda.at(self.agenda.now + wait, self._release, partner)
                return
            self._take_slot(held.popleft())

    def _take_slot(self, number: int) -> None:
        if self._slots and self._busy >= self._slots:
            self._queue.append(number)
            return
        self._busy += 1
        self._ask(number)

    def _ask(self, number: int) -> None:
        arrival = self._arrivals[number]
        now = self.agenda.now
        partner = self._partners[arrival.partner]
        answer = partner.ask(now, poison=arrival.poison)
        self._trace.sends[number] += 1
        self._answers[number] = answer
        self.agenda.at(now + answer.took, self._heard, number)

    def _heard(self, number: int) -> None:
        now = self.agenda.now
        answer = self._answers.pop(number)
        retry = self._tried[number] > 0
        self._tried[number] += 1
        guard = self.guards[self._arrivals[number].partner]
        guard.heard(now, answer, self._paid.pop(number, 0), retry=retry)
        self._busy -= 1
        if self._queue:
            self._take_slot(self._queue.popleft())
        if 200 <= answer.status < 300:
            self._trace.delivered[number] = now
            return
        due = self._next(number, answer, now)
        if due is not None and self._simple:
            due = self._knock(number, due)
        if due is None:
            self._trace.dead[number] = now
        else:
            self.agenda.at(due, self.send, number)

    def _next(self, number: int, answer: Answer, now: int) -> int | None:
        """Return when the next retry starts; None: there is none."""
        schedule = self._schedule
        n = self._tried[number]
        if n > schedule.most or answer.status in schedule.stop_on:
            return None
        guard = self.guards[self._arrivals[number].partner]
        paid = guard.price(answer)
        if paid < 0:
            return None
        self._paid[number] = paid
        delay = guard.delay(n, answer)
        if delay is None:
            delay = schedule.after(n, answer, self._rng)
        due = now + round(delay * 1000)
        if due - self._arrivals[number].at > schedule.max_age * 1000:
            return None
        return due

    def _knock(self, number: int, due: int) -> int | None:
        """Run through the tries that fall into an outage: nothing can come of them."""
        arrival = self._arrivals[number]
        partner = self._partners[arrival.partner]
        limit = self._trace.world.limit_ms
        last_ms = arrival.at + self._schedule.max_age * 1000
        while due <= limit and (span := partner.dead(due)) is not None:
            schedule, rng, n = self._schedule, self._rng, self._tried[number]
            answer = partner.ask_dead(span)
            end = min(span.end - 1, limit)
            stops = answer.status in schedule.stop_on
            while due <= end:
                partner.turned_away(due)
                n += 1
                if n > schedule.most or stops:
                    due = -1
                    break
                due += answer.took + round(schedule.after(n, answer, rng) * 1000)
                if due > last_ms:
                    due = -1
                    break
                if span.fault.hints:
                    answer = partner.ask_dead(span)
            self._trace.sends[number] += n - self._tried[number]
            self._tried[number] = n
            if due < 0:
                return None
        return due
