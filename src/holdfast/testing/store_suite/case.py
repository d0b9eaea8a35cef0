"""What the tests of the suite are made of: values in order, and short ways to commit them."""

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import msgspec
import pytest

from holdfast.model.attempt import Attempt, NextAction, Partner, Result, Trigger
from holdfast.model.delivery import BANDS, TRANSITIONS, Delivery, Status, Verb
from holdfast.model.message import NEVER, Message
from holdfast.model.worker import Ownership
from holdfast.store import (
    Accept,
    Accepted,
    Applied,
    Batch,
    DuePage,
    DueQuery,
    Note,
    Store,
    Transition,
)

NOW: Final = 1_767_225_600_000
"""The instant at which the tests begin: 2026-01-01."""
DAY: Final = 86_400_000
MANY: Final = 1_000_000
ALL_BANDS: Final = (100,) * BANDS


class Case:
    """A store that is owned, and a source of values for it.

    Attributes:
        store: the store under test.
        epoch: of the owner.
        now: time of the commits; tests set it.
        ids: numbers that no two values share.
    """

    def __init__(
        self, store: Store, ownership: Ownership, ids: Iterator[int] | None = None
    ) -> None:
        self.store = store
        self.epoch = ownership.epoch
        self.now = NOW
        self.ids = ids or count(1)

    def message(self, **fields: Any) -> Message:
        """Return a new message without key; `fields` override."""
        number = next(self.ids)
        message = Message(
            id=f"msg_{number:032x}",
            account="acme",
            flow="leads",
            key=None,
            digest=bytes(32),
            sealed=b"\x00sealed\xff",
            size=10,
            value=12.5,
            priority=5,
            quality=None,
            region=None,
            consent=None,
            not_before=0,
            expires_at=NEVER,
            created_at=self.now,
        )
        return msgspec.structs.replace(message, **fields)

    def delivery(self, message: Message, **fields: Any) -> Delivery:
        """Return a new delivery of a message, due now; `fields` override."""
        delivery = Delivery(
            id=f"dlv_{next(self.ids):032x}",
            message_id=message.id,
            account=message.account,
            flow=message.flow,
            step="one",
            recipient="north",
            priority=message.priority,
            predecessor=None,
            followed=False,
            expires_at=self.now + 3 * DAY,
            created_at=message.created_at,
            value=message.value,
            due_at=self.now,
        )
        return msgspec.structs.replace(delivery, **fields)

    def attempt(self, delivery: Delivery, result: Result, **fields: Any) -> Attempt:
        """Return a try of a delivery; `fields` override."""
        attempt = Attempt(
            event_id=f"evt_{next(self.ids):032x}",
            original_event_id="evt_first",
            delivery_id=delivery.id,
            message_id=delivery.message_id,
            account=delivery.account,
            flow=delivery.flow,
            step=delivery.step,
            recipient=delivery.recipient,
            endpoint="main",
            step_type="http",
            attempt_number=delivery.attempt,
            generation=delivery.generation,
            cumulative_attempt=delivery.attempts,
            counted=True,
            trigger=Trigger.AUTOMATIC,
            trigger_detail="first",
            retry_timestamp=self.now,
            retry_outcome="success" if result is Result.SUCCESS else "failure",
            outcome=result,
            retryable=result is Result.ERROR,
            request_timestamp=self.now,
            acknowledgment_timestamp=self.now + 5,
            latency_ms=5,
            processing_time_ms=5.25,
            configuration="policy-1",
            next_action=NextAction("done"),
            context="context-1",
            partner=Partner("closed", 1.0),
        )
        return msgspec.structs.replace(attempt, **fields)

    def transition(
        self, delivery: Delivery, verb: Verb, result: Result | None = None, **fields: Any
    ) -> Transition:
        """Return a change of a delivery as it was seen; `fields` override those of `after`."""
        status = TRANSITIONS[verb].get(delivery.status, delivery.status)
        ended = 0 if status is Status.PENDING else delivery.ended_at or self.now
        after = msgspec.structs.replace(
            delivery,
            status=status,
            revision=delivery.revision + 1,
            updated_at=self.now,
            ended_at=ended,
        )
        return Transition(
            verb=verb,
            revision=delivery.revision,
            after=msgspec.structs.replace(after, **fields),
            attempt=None if result is None else self.attempt(delivery, result),
            note=Note(self.now, "ada", verb, delivery.id, "because"),
        )

    async def commit(self, **parts: Any) -> tuple[tuple[Accepted, ...], tuple[Applied, ...]]:
        """Commit a batch and return its answers."""
        done = await self.store.commit(Batch(self.epoch, self.now, **parts))
        return done.accepts, done.transitions

    async def take(self, *, priority: int = 5, key: str | None = None, **fields: Any) -> Delivery:
        """Accept a message with one delivery and return this."""
        message = self.message(priority=priority, key=key)
        delivery = self.delivery(message, **fields)
        await self.commit(accepts=(Accept(message, (delivery,)),))
        return delivery

    async def take_chain(self, *recipients: str) -> list[Delivery]:
        """Accept a sequential message: each delivery waits for the one before."""
        message = self.message()
        chain: list[Delivery] = []
        for number, recipient in enumerate(recipients):
            first = number == 0
            delivery = self.delivery(
                message,
                recipient=recipient,
                step=f"step{number}",
                predecessor=None if first else chain[-1].id,
                followed=number < len(recipients) - 1,
                due_at=self.now if first else NEVER,
            )
            chain.append(delivery)
        await self.commit(accepts=(Accept(message, tuple(chain)),))
        return chain

    async def apply(self, *transitions: Transition) -> tuple[Applied, ...]:
        """Commit transitions and return their answers."""
        return (await self.commit(transitions=transitions))[1]

    async def change(
        self, delivery: Delivery, verb: Verb, result: Result | None = None, **fields: Any
    ) -> Delivery:
        """Commit one change that must be applied and return the delivery after it."""
        transition = self.transition(delivery, verb, result, **fields)
        (answer,) = await self.apply(transition)
        assert answer.applied
        return transition.after

    async def get(self, delivery: Delivery) -> Delivery:
        """Return a delivery as it is stored."""
        found = await self.store.get(delivery.id)
        assert found is not None
        return found

    async def due(self, recipient: str = "north", **fields: Any) -> DuePage:
        """Return what is due; `fields` override those of the query."""
        query = DueQuery(recipient, self.now, ALL_BANDS, frozenset(), MANY)
        return await self.store.due(msgspec.structs.replace(query, **fields))


class Suite:
    """Fixtures of every part of the suite."""

    @pytest.fixture
    async def store(self) -> Store:
        """Return an empty store; the subclass does."""
        raise NotImplementedError

    @pytest.fixture
    async def case(self, store: Store) -> Case:
        """Return the store, owned."""
        return Case(store, await store.join(NOW))
