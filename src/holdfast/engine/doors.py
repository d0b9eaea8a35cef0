"""What the API asks of an engine, put together: views, actions, bulk work, the stream."""

import random
from typing import Protocol

from holdfast.clock import Clock
from holdfast.engine.actions import Actions
from holdfast.engine.book import Book
from holdfast.engine.broadcast import Broadcast
from holdfast.engine.bulk import Bulk
from holdfast.engine.exposition import Exposition, Scraped
from holdfast.engine.fields import Fields
from holdfast.engine.glance import Glance, Watched
from holdfast.engine.groups import Groups, Returns
from holdfast.engine.inflow import Inflow
from holdfast.engine.judgements import Judgements
from holdfast.engine.lane import Lane
from holdfast.engine.maintenance import Pruner
from holdfast.engine.operations import Operations
from holdfast.engine.review import Review
from holdfast.engine.settings import EngineSettings
from holdfast.engine.signals import Signals
from holdfast.engine.steering import Steering
from holdfast.engine.views import Views, lane_words
from holdfast.engine.wakeups import Wakeups
from holdfast.store import Store
from holdfast.vault import Vault


class Served(Scraped, Watched, Protocol):
    """What of an engine is asked."""

    store: Store
    clock: Clock
    vault: Vault
    rng: random.Random
    settings: EngineSettings
    signals: Signals
    judgements: Judgements
    wakeups: Wakeups
    pruner: Pruner
    inflow: Inflow

    def lane(self, name: str) -> Lane:
        """Return the lane of a configured recipient."""
        ...


class Doors:
    """Builds what the API asks; each part gets only what it uses.

    Args:
        engine: composed but for this.
        book: flows and policies.
        fields: makes the tokens of search fields.
    """

    def __init__(self, engine: Served, book: Book, fields: Fields) -> None:
        membership, store, clock = engine.membership, engine.store, engine.clock
        self.views = Views(
            store,
            engine.vault,
            clock,
            engine.catalog,
            engine.lanes,
            book=book,
            metrics=Exposition(engine).text,
            signals=lambda: engine.signals.known,
            arrivals=engine.inflow.rate,
            workers=membership.placed,
            glance=Glance(engine, started_at=clock.now()),
            fields=fields,
        )
        self.broadcast = Broadcast(
            store, clock, lambda: lane_words(engine.catalog, engine.lane, engine.counts)
        )
        self._act(engine, book)
        self.operations = Operations(
            store,
            self.views,
            clock,
            engine.rng,
            member=membership,
            tell=self.broadcast.tell,
        )
        self.groups = Groups(
            store,
            clock,
            member=membership,
            tell=self.broadcast.tell,
            judgements=engine.judgements,
            critical=engine.settings.critical_priority,
        )
        self.review = Review(
            store,
            self.actions,
            self.views,
            engine.intake,
            engine.vault,
            member=membership,
        )
        self.returns = Returns(clock, self.groups, membership)
        self.bulk = Bulk(clock, store, self.operations, self.actions, membership)

    def _act(self, engine: Served, book: Book) -> None:
        steering = Steering(
            engine.store,
            engine.writer,
            engine.dispatcher,
            engine.clock,
            rng=engine.rng,
            lanes=engine.lanes,
            membership=engine.membership,
            wakeups=engine.wakeups,
            views=self.views,
        )
        engine.membership.obey = steering.obey
        self.actions = Actions(
            engine.store,
            engine.writer,
            engine.dispatcher,
            engine.clock,
            book=book,
            intake=engine.intake,
            lanes=engine.lanes,
            pruner=engine.pruner,
            views=self.views,
            signals=engine.signals,
            steering=steering,
            on_change=self.broadcast.changed,
        )
