"""Composition root: a configuration in, a ready engine out. Alone names backends."""

import asyncio
import gc
import os
import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdfast import __version__
from holdfast.access.house import House
from holdfast.access.keeper import Keeper
from holdfast.access.versions import Versions
from holdfast.again import again
from holdfast.app import keys
from holdfast.app.spooling import SpoolSeen, left_in_spool, look_at_spool, open_spool
from holdfast.channel import Channel
from holdfast.channels.http import HttpChannel
from holdfast.clock import Clock, StoreClock, SystemClock
from holdfast.config import Config, prepare_data
from holdfast.engine.book import check_pending, max_ages
from holdfast.engine.cores import cores
from holdfast.engine.engine import Engine
from holdfast.engine.fleet import usual
from holdfast.engine.maintenance import retention
from holdfast.engine.sampler import machine
from holdfast.errors import StoreAway
from holdfast.model.archive import Archive, Told
from holdfast.model.audit import DAY_MS
from holdfast.model.configuration import Version, Written
from holdfast.model.flow import Catalog
from holdfast.model.worker import Worker
from holdfast.people import Backend
from holdfast.policy import slots
from holdfast.store import Note, Registry
from holdfast.stores.spool import FileSpool
from holdfast.stores.sqlite import SqliteStore, archive, documents
from holdfast.telemetry import LogEvent, log
from holdfast.vault import Vault

if TYPE_CHECKING:
    from holdfast.stores.postgres import PostgresStore
    from holdfast.stores.postgres.address import Address

__all__ = [
    "STORE_FILE",
    "App",
    "Database",
    "Migrated",
    "Probed",
    "SpoolSeen",
    "Start",
    "backup",
    "calm_collector",
    "check_keys",
    "look_at_spool",
    "migrate",
    "override",
    "place",
    "probe",
    "restore",
    "usual_outages",
]

STORE_FILE: Final = "holdfast.db"
_CATALOG: Final = "catalog"
_MAX_AGES: Final = "max_ages"


class Start(NamedTuple):
    """A start that is to be kept: what the file says, and who starts it, for the audit journal."""

    written: Written
    actor: str


class App:
    """An engine with the things that it was built from and that must be closed after it.

    Attributes:
        config: what it was built from.
        engine: not yet started.
        house: who may do what.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        store: Backend,
        channels: dict[str, Channel],
        spool: FileSpool | None,
    ) -> None:
        self.config = config
        self.engine = engine
        self.house = House(
            store,
            engine.clock,
            config.catalog,
            digest=engine.vault.digest,
            events_ms=round(config.retention.events_days * DAY_MS),
        )
        self._keeper = Keeper(
            engine.clock,
            self.house.chain,
            self.house.tries,
            store,
            age_ms=config.retention.audit_days * DAY_MS,
            elected=lambda: engine.membership.elected,
        )
        self._store = store
        self._channels = channels
        self._spool = spool

    @classmethod
    async def open(
        cls, config: Config, clock: Clock | None = None, start: Start | None = None
    ) -> "App":
        """Open the store, the keys and the channels of a configuration.

        Args:
            config: what to run.
            clock: time; None: the system's.
            start: keeps the configuration as a version, or refuses it; None: it comes from no file.

        Raises:
            ConfigError: the data folder cannot be used, the catalog lacks a recipient with
                pending deliveries, or the configuration is not approved.
            StoreBusy: another process has it.
            StoreMismatch: the store there is not ours, or from a newer version.
            StoreAway: the store's server cannot be reached.
            VaultError: the data keys are missing or wrong.
        """
        clock = clock or SystemClock()
        if config.store.url is not None:  # other machines have other clocks: the store's counts
            clock = StoreClock(clock)
        prepare_data(config)
        store = await _open_store(config, clock)
        try:
            vault = await keys.open_vault(config, store)
            # Of several workers that start at once each may be the first to write something.
            await again(lambda: keys.check(store, vault, clock.now(), config.data, place(config)))
            check_pending(await store.counts(), config.catalog)
            version = 0
            if start is not None:
                version = (await Versions(store, clock, vault.digest).start(*start)).number
            await again(lambda: _register(store, vault, config.catalog, clock.now()))
            await again(lambda: _tell_ages(store, config.catalog, clock.now()))
        except BaseException:
            await store.close()
            raise
        channels: dict[str, Channel] = {"http": HttpChannel(clock)}
        spool = open_spool(config, vault, _spool_group(config, vault))
        engine = _engine(config, store, channels, vault, clock=clock, worker=_worker(version))
        if spool is not None:
            engine.spool_into(spool, config.spool.patience_seconds * 1000)
        return cls(config, engine, store, channels, spool)

    async def start(self) -> None:
        """Start the engine; on failure everything is closed."""
        try:
            await self.engine.start()
        except BaseException:
            await self._close()
            raise
        self._keeper.start()

    async def stop(self) -> None:
        """Stop the engine gracefully and close everything."""
        try:
            await self.engine.stop()
            await self._keeper.finish()
        finally:
            await self._close()

    async def reload(self, config: Config, start: Start) -> None:
        """Take `engine.max_in_flight` of a configuration.

        Raises:
            ConfigError: the configuration is not approved.
        """
        slots = config.engine.max_in_flight
        await self.house.versions.reload(*start, f"max_in_flight {slots}")
        self.engine.dispatcher.resize(slots)

    async def _close(self) -> None:
        for channel in self._channels.values():
            await channel.close()
        if self._spool is not None:
            await self._spool.close()
        await self._store.close()


def calm_collector() -> None:
    """Set the garbage collector for a long-lived process: measured 16 us per delivery less.

    What start-up made stays, so it is not looked at again; deliveries and events hold no cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _engine(
    config: Config,
    store: Backend,
    channels: dict[str, Channel],
    vault: Vault,
    *,
    clock: Clock,
    worker: Worker,
) -> Engine:
    keep = config.retention
    return Engine(
        store,
        channels,
        config.catalog,
        vault,
        clock=clock,
        rng=random.Random(),  # noqa: S311  # ids and jitter are no secrets
        probe=machine(str(config.data)),
        settings=config.engine,
        ages=retention(keep.payload_days, keep.rows_days, keep.events_days, keep.key_days),
        reserve_bytes=config.store.reserve_bytes,
        worker=worker,
        first_slots=slots.first(cores(), config.engine.max_in_flight),
    )


def _spool_group(config: Config, vault: Vault) -> str:
    """Return what the spools of one store with the same keys have in common."""
    return vault.digest(b"spool", place(config).encode()).hex()[:16]


def _worker(configuration: int) -> Worker:
    """Return what this process tells other workers of itself."""
    host, pid = socket.gethostname(), os.getpid()
    name = f"{host}:{pid}"
    return Worker(name=name, host=host, pid=pid, version=__version__, configuration=configuration)


def place(config: Config) -> str:
    """Return where the store is, in words that hold no password."""
    found = _database(config)
    return str(config.data / STORE_FILE) if found is None else found.address.label


class Database(msgspec.Struct, frozen=True):
    """A store in PostgreSQL: its class and where it is."""

    store: "type[PostgresStore]"
    address: "Address"


def _database(config: Config) -> Database | None:
    """Return the database that is configured, None: the embedded store."""
    if config.store.url is None:
        return None
    # Importing the driver takes a while, which the embedded store need not wait for.
    from holdfast.stores.postgres import PostgresStore  # noqa: PLC0415
    from holdfast.stores.postgres.address import parse  # noqa: PLC0415

    address = parse(config.store.url, prepared=config.store.prepared_statements)
    return Database(PostgresStore, address)


async def _open_store(config: Config, clock: Clock) -> Backend:
    found = _database(config)
    if found is not None:
        try:
            return await found.store.open(found.address, clock)
        except StoreAway as error:
            raise StoreAway(f"{error}{left_in_spool(config)}") from error
    return SqliteStore.open(config.data / STORE_FILE, quota_bytes=config.store.quota_bytes)


async def _register(registry: Registry, vault: Vault, catalog: Catalog, now: int) -> None:
    """Keep the catalog in force as a versioned document, encrypted as it holds credentials."""
    body = msgspec.json.encode(catalog, order="deterministic")
    known = await registry.document(_CATALOG)
    if known is not None and vault.open(known[1], _CATALOG) == body:
        return
    expected = known[0] if known else 0
    version = await registry.put_document(_CATALOG, vault.seal(body, _CATALOG), expected, now)
    log(LogEvent.CATALOG_CHANGED, version=version)


async def _tell_ages(registry: Registry, catalog: Catalog, now: int) -> None:
    """Keep where SQL can read it how long a redriven delivery may take (S5.56), in ms."""
    body = msgspec.json.encode(max_ages(catalog), order="sorted")
    known = await registry.document(_MAX_AGES)
    if known is None or known[1] != body:
        await registry.put_document(_MAX_AGES, body, known[0] if known else 0, now)


def usual_outages(config: Config) -> dict[str, float]:
    """Return recipient -> seconds in which three of four of its outages are over, as learned.

    Only recipients whose own outages of a class are known are named; {} where there is no store,
    and for a database: `check` asks no server.

    Raises:
        StoreError: the file cannot be read.
    """
    if config.store.url is not None:
        return {}
    return usual(SqliteStore.saved_lanes(config.data / STORE_FILE))


class Migrated(msgspec.Struct, frozen=True):
    """What a migration did.

    Attributes:
        store: where it is.
        before: schema version before ...
        after: ... and after.
        applied: the steps that were done.
        pending: the steps that are left.
    """

    store: str
    before: int
    after: int
    applied: list[str]
    pending: list[str]


def migrate(config: Config, *, post: bool, dry: bool, told: Told) -> Migrated:
    """Bring the store to this version's schema and say what was done.

    Args:
        config: names the store.
        post: also take away what older programs needed.
        dry: only say what is pending.
        told: progress.

    Raises:
        StoreBusy: a running Holdfast has the embedded store; or older programs use the database
            and `post` was asked for.
        StoreMismatch: the store is not ours, or from a newer version.
        StoreAway: the store's server cannot be reached.
    """
    found = _database(config)
    if found is not None:
        return asyncio.run(_migrate(found, post=post, dry=dry, told=told))
    path = prepare_data(config) / STORE_FILE
    before = SqliteStore.version(path)
    steps = SqliteStore.pending(path)
    if not dry:
        asyncio.run(SqliteStore.open(path, inline=True).close())
    after = SqliteStore.version(path)
    return Migrated(str(path), before, after, [] if dry else steps, steps if dry else [])


async def _migrate(database: Database, *, post: bool, dry: bool, told: Told) -> Migrated:
    store, address = database.store, database.address
    before = await store.version(address)
    steps = [] if dry else await store.migrate(address, post=post, told=told)
    left = await store.pending(address)
    after = await store.version(address)
    return Migrated(address.label, before, after, [str(s) for s in steps], [str(s) for s in left])


def backup(config: Config, path: Path, told: Told) -> Archive:
    """Write what the store holds at one instant to a file, also while Holdfast runs.

    The keys are not in it.

    Raises:
        Conflict: `path` exists.
        StoreError: there is no store, or the file cannot be written.
        StoreMismatch: the store or the copy is not sound.
        StoreAway: the store's server cannot be reached.
    """
    found = _database(config)
    if found is None:
        return archive.backup(config.data / STORE_FILE, path, told)
    now = SystemClock().now()
    return asyncio.run(found.store.backup(found.address, path, now, told))


def restore(config: Config, path: Path, *, actor: str, told: Told) -> Archive:
    """Make the configured store from a backup; the keys must be here already.

    Raises:
        Conflict: there is a store already.
        StoreBusy: a running Holdfast has it.
        StoreMismatch: the backup is damaged, foreign, or from a newer version.
        VaultError: the keys are missing, or are not those of the backup.
    """
    folder = prepare_data(config)
    found = _database(config)
    sealed = archive.key_check(path) if found is None else found.store.key_check(path)
    if sealed is not None:
        keys.check_backup(folder, sealed, path)
    note = Note(SystemClock().now(), actor, "restore", "store", f"from {path}")
    if found is None:
        return archive.restore(path, folder / STORE_FILE, note, told)
    return asyncio.run(found.store.restore(found.address, path, note, told))


def override(config: Config, start: Start, why: str) -> Version:
    """Let processes start with a configuration without approval.

    Raises:
        StoreBusy: a running Holdfast has the embedded store.
        VaultError: the keys are missing, or are not those of the store.
    """
    return asyncio.run(_override(config, start, why))


async def _override(config: Config, start: Start, why: str) -> Version:
    clock: Clock = SystemClock()
    if config.store.url is not None:
        clock = StoreClock(clock)
    prepare_data(config)
    store = await _open_store(config, clock)
    try:
        vault = await keys.open_vault(config, store)
        await again(lambda: keys.check(store, vault, clock.now(), config.data, place(config)))
        return await Versions(store, clock, vault.digest).override(*start, why)
    finally:
        await store.close()


def check_keys(config: Config) -> None:
    """Look whether the keys are sound and those of the embedded store; a database is not asked.

    Raises:
        StoreError: the store's file cannot be read.
        VaultError: the keys are missing, damaged or others.
    """
    vault = Vault.load(config.data, create=False)
    if config.store.url is None:
        sealed = documents.saved(config.data / STORE_FILE, keys.DOCUMENT)
        if sealed is not None:
            keys.check_sealed(vault, sealed, config.data, place(config))


class Probed(NamedTuple):
    """What a database answers.

    Attributes:
        seen: in words.
        doubtful: it is named with several hosts and does not replicate synchronously.
    """

    seen: str
    doubtful: bool


def probe(config: Config) -> Probed | None:
    """Ask the database that is configured, and say what it answers; None: there is none.

    Raises:
        StoreError: it does not answer as it should.
    """
    found = _database(config)
    return None if found is None else asyncio.run(_probe(found))


async def _probe(database: Database) -> Probed:
    store, address = database.store, database.address
    version = await store.version(address)
    has = f"schema version {version}" if version else "no store yet"
    doubtful = len(address.urls) > 1 and not await store.replicated(address)
    return Probed(f"{address.label} answers, {has}", doubtful)
