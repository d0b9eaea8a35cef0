"""Numbers from outside that rules can use, such as `market.index` (S1.95): kept in the Registry."""

from types import MappingProxyType
from typing import Final

import msgspec

from holdfast.clock import Clock
from holdfast.engine.writer import Writer
from holdfast.errors import Conflict, InvalidInput
from holdfast.model.rule import Signal
from holdfast.policy import check
from holdfast.store import Note, Registry
from holdfast.telemetry import LogEvent, log

DOCUMENT: Final = "signals"
SIGNALS_MAX: Final = 1000
"""Most signals of an installation."""
REASON_MAX: Final = 500
_TRIES: Final = 8
_DECODER: Final = msgspec.json.Decoder(list[Signal])


class Signals:
    """The signals in force.

    Args:
        registry: where they outlive a restart.
        writer: takes the audit line of each change.
        clock: time of changes.

    Attributes:
        known: name -> signal; replaced as a whole by every change.
    """

    def __init__(self, registry: Registry, writer: Writer, clock: Clock) -> None:
        self._registry = registry
        self._writer = writer
        self._clock = clock
        self._version = 0
        self.known: MappingProxyType[str, Signal] = MappingProxyType({})

    async def load(self) -> None:
        """Read what outlived the last owner, or was changed by another worker."""
        found = await self._registry.document(DOCUMENT)
        if found is not None and found[0] > self._version:
            self._version = found[0]
            self.known = MappingProxyType({one.name: one for one in _DECODER.decode(found[1])})

    async def put(self, name: str, value: float, *, actor: str, reason: str) -> Signal:
        """Set a signal; it holds for the next decision and is on disk when this returns.

        Raises:
            InvalidInput: the name, the value or the reason is wrong, or there are too many.
            StoreError: it was not written.
        """
        check.name("name", name)
        check.number("value", value, -1e15, 1e15)
        if not 1 <= len(reason.strip()) <= REASON_MAX:
            raise InvalidInput("reason", reason[:40], f"1 to {REASON_MAX} characters")
        for _ in range(_TRIES):
            if name not in self.known and len(self.known) >= SIGNALS_MAX:
                raise InvalidInput("name", name, f"at most {SIGNALS_MAX} signals")
            signal = Signal(name, value, self._clock.now(), actor)
            try:
                return await self._write(signal, reason)
            except Conflict:  # two changes at once: the second sees the first
                await self.load()
        raise Conflict(f"signal {name!r} changes too often")

    async def _write(self, signal: Signal, reason: str) -> Signal:
        known = {**self.known, signal.name: signal}
        body = msgspec.json.encode(list(known.values()))
        self._version = await self._registry.put_document(DOCUMENT, body, self._version, signal.at)
        before = self.known.get(signal.name)
        self.known = MappingProxyType(known)
        detail = {"value": [None if before is None else before.value, signal.value]}
        text = msgspec.json.encode(detail).decode()
        self._writer.note(Note(signal.at, signal.actor, "signal", signal.name, reason, text))
        await self._writer.flush()
        log(LogEvent.ACTION, action="signal", subject=signal.name, actor=signal.actor)
        return signal
