"""The spool of a configuration."""

import contextlib
import logging
from pathlib import Path

import msgspec

from holdfast.config import Config
from holdfast.errors import StoreError
from holdfast.stores.spool import FileSpool
from holdfast.stores.spool.journal import KEPT
from holdfast.stores.spool.place import is_volatile, prepare, segments
from holdfast.telemetry import LogEvent, log
from holdfast.vault import Vault


def open_spool(config: Config, vault: Vault, group: str) -> FileSpool | None:
    """Return the spool of a store on a server; without one intake waits for the store.

    Args:
        config: says where it is.
        vault: seals what is in it.
        group: what the spools of one store with the same keys have in common.
    """
    if config.store.url is None:
        return None
    settings = config.spool
    try:
        spool = FileSpool.open(
            Path(settings.path),
            group,
            vault,
            max_bytes=settings.max_bytes,
            allow_volatile=settings.allow_volatile,
        )
    except StoreError as error:
        log(LogEvent.SPOOL_OFF, logging.WARNING, reason=str(error))
        return None
    if not settings.enabled:
        spool.refusal = "spool.enabled is false"
    if spool.refusal is not None:
        log(LogEvent.SPOOL_OFF, logging.WARNING, reason=spool.refusal)
    elif spool.volatile:
        log(LogEvent.SPOOL_VOLATILE, logging.WARNING, spool=spool.label)
    return spool


class SpoolSeen(msgspec.Struct, frozen=True):
    """What is in the spool's folder, of all processes: files, their bytes, those that are kept."""

    files: int
    bytes: int
    kept: int
    volatile: bool


def look_at_spool(config: Config) -> SpoolSeen:
    """Look at the spool's folder without taking part in it.

    Raises:
        StoreError: it cannot be used.
    """
    path = Path(config.spool.path)
    if not path.exists():
        return SpoolSeen(0, 0, 0, is_volatile(path))
    prepare(path)
    sizes = segments(path)
    kept = sum(name.endswith(KEPT) for name in sizes)
    return SpoolSeen(len(sizes), sum(sizes.values()), kept, is_volatile(path))


def left_in_spool(config: Config) -> str:
    """Return what to say of the spool where its store cannot be reached."""
    with contextlib.suppress(StoreError):
        found = look_at_spool(config)
        if found.files:
            return (
                f". What came while it was away is kept in {config.spool.path} ({found.bytes} "
                "bytes) and goes into the store after a start that reaches it"
            )
    return ""
