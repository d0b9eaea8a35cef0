"""`doctor`: looks at everything that must be right, and says what to do where it is not."""

import os
import platform
import shutil
import socket
import ssl
import stat
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import apsw
import msgspec
import typer
from rich.text import Text

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Api
from holdfast.cli.complaint import REFUSED, Complaint
from holdfast.cli.options import Json, Token, Url
from holdfast.cli.overview import apart
from holdfast.cli.running import ConfigFile, Data
from holdfast.clock import SystemClock
from holdfast.config import Config, load
from holdfast.errors import ConfigError, HoldfastError, VaultError
from holdfast.vault import KEY_FILE

_COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_PLAUSIBLE_FROM_MS: Final = 1_750_000_000_000
"""This version did not exist before (June 2025): an earlier clock is wrong."""
_TIGHT: Final = 4
"""Free space below so many reserves deserves a warning."""


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True):
    """One line: how it came out, of what, what was seen, and what to do."""

    level: Level
    what: str
    seen: str
    advice: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    *,
    config: ConfigFile = None,
    data: Data = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Check this machine, the configuration, the data folder and the running API."""
    findings = list(examine(config, data, url, token))
    if as_json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
    else:
        console = views.console()
        for found in findings:
            text = Text(f"{found.level:5}", style=_COLOURS[found.level])
            text.append(f"{found.what:14} {found.seen}", style="not bold default")
            text.append(f"\n     {'':14} -> {found.advice}" if found.advice else "")
            console.print(text, soft_wrap=True)
    if any(found.level is Level.FAIL for found in findings):
        raise typer.Exit(REFUSED)


def examine(
    config: Path | None, data: Path | None, url: str, token: str | None
) -> Iterator[Finding]:
    """Yield what was found, one line per check."""
    yield from _versions()
    try:
        found = load(config, os.environ, {"data": data})
    except ConfigError as error:
        yield Finding(Level.FAIL, "configuration", str(error), "correct it and run this again")
        yield from _api(url, token)
        return
    catalog = found.catalog
    seen = f"{len(catalog.recipients)} recipients, {len(catalog.flows)} flows"
    advice = "" if catalog.flows else "add [recipients.NAME] and [flows.NAME] to holdfast.toml"
    yield Finding(Level.OK if catalog.flows else Level.WARN, "configuration", seen, advice)
    yield _folder(found.data)
    yield from _keys(found)
    if found.store.url is None:
        yield from _disk(found)
    else:
        yield _database(found)
        yield _spool(found)
    api = list(_api(url, token or found.server.token))
    yield from api
    if api[0].level is Level.WARN:  # nothing answers; else the ports are its own
        server = found.server
        yield _port("port", server.host, server.port, "--port")
        yield _port("metrics port", server.host, server.metrics_port, "--metrics-port")


def _versions() -> Iterator[Finding]:
    yield Finding(Level.OK, "python", f"{platform.python_version()} on {platform.system()}")
    yield Finding(Level.OK, "openssl", ssl.OPENSSL_VERSION)
    yield Finding(Level.OK, "sqlite", apsw.sqlite_lib_version())
    now = SystemClock().now()
    good = now >= _PLAUSIBLE_FROM_MS
    advice = "" if good else "set the clock; retries and expiry depend on it"
    yield Finding(Level.OK if good else Level.FAIL, "clock", views.when(now), advice)


def _database(config: Config) -> Finding:
    from holdfast.app import probe  # noqa: PLC0415  # `holdfast ls` should not wait for it

    try:
        found = probe(config)
    except HoldfastError as error:
        return Finding(Level.FAIL, "store", str(error), "look at the server, and at store.url")
    if found is None or not found.doubtful:
        return Finding(Level.OK, "store", found.seen if found else "")
    seen = f"{found.seen}; a fail-over may lose what was accepted"
    advice = "set synchronous_standby_names on the primary, and synchronous_commit = on"
    return Finding(Level.WARN, "store", seen, advice)


def _spool(config: Config) -> Finding:
    """Tell whether messages can be taken while the store is away, and what was."""
    from holdfast.app import look_at_spool  # noqa: PLC0415  # as above

    if not config.spool.enabled:
        return Finding(Level.WARN, "spool", "off", "while the store is away intake answers 503")
    try:
        found = look_at_spool(config)
    except HoldfastError as error:
        return Finding(Level.FAIL, "spool", str(error), "see spool.path")
    seen = f"{config.spool.path}: {found.bytes / 2**20:,.1f} MiB in {found.files} files"
    if found.kept:
        advice = "the log says what is in them (spool_damaged)"
        return Finding(Level.WARN, "spool", f"{seen}, {found.kept} of them kept for you", advice)
    if found.volatile:
        advice = "it is lost when the machine restarts; set spool.path to a disk"
        level = Level.WARN if config.spool.allow_volatile else Level.FAIL
        return Finding(level, "spool", f"{seen}, in memory", advice)
    if Path(config.spool.path).is_relative_to("/tmp"):  # noqa: S108  # it is not written
        advice = "many systems empty /tmp when they start; set spool.path to another folder"
        return Finding(Level.WARN, "spool", seen, advice)
    return Finding(Level.OK, "spool", seen)


def _folder(folder: Path) -> Finding:
    if not folder.exists():
        return Finding(Level.OK, "data folder", f"{folder} will be made at the first start")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        return Finding(Level.FAIL, "data folder", f"{folder}: {mode:04o}", f"chmod 700 {folder}")
    if not os.access(folder, os.W_OK):
        return Finding(Level.FAIL, "data folder", f"{folder} cannot be written", "check its owner")
    return Finding(Level.OK, "data folder", f"{folder} ({mode:04o})")


def _keys(config: Config) -> Iterator[Finding]:
    folder = config.data
    if (folder / KEY_FILE).exists():
        from holdfast.app import check_keys  # noqa: PLC0415  # `holdfast ls` should not wait for it

        try:
            check_keys(config)
            yield Finding(Level.OK, "keys", f"{folder / KEY_FILE} is readable by you alone")
        except (VaultError, OSError) as error:
            yield Finding(Level.FAIL, "keys", str(error), "follow the line above")
        except HoldfastError as error:
            yield Finding(Level.FAIL, "store", str(error), "restore it from a backup")
    elif config.store.url is not None:
        advice = "copy them from another machine; for a new store: holdfast keys new"
        yield Finding(Level.FAIL, "keys", "missing", advice)
    elif any(folder.glob("*.db*")) or any(folder.glob("*.sqlite*")):
        advice = "restore it from your backup: stored payloads need it"
        yield Finding(Level.FAIL, "keys", "missing", advice)
    elif folder.exists():
        yield Finding(Level.OK, "keys", "will be made at the first start")


def _disk(config: Config) -> Iterator[Finding]:
    folder = config.data.absolute()
    place = next(part for part in (folder, *folder.parents) if part.exists())
    free, reserve = shutil.disk_usage(place).free, config.store.reserve_bytes
    seen = f"{free / 2**30:,.1f} GiB free, {reserve / 2**20:,.0f} MiB kept in reserve"
    if free <= reserve:
        yield Finding(Level.FAIL, "disk", seen, "free space: nothing is accepted in this state")
    elif free <= reserve * _TIGHT:
        yield Finding(Level.WARN, "disk", seen, "free space soon, or: holdfast purge")
    else:
        yield Finding(Level.OK, "disk", seen)


def _port(what: str, host: str, port: int, option: str) -> Finding:
    """Tell whether `holdfast up` could listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            advice = f"another program has it; choose one with: holdfast up {option}"
            return Finding(Level.FAIL, what, f"{host}:{port}: {error.strerror}", advice)
    return Finding(Level.OK, what, f"{host}:{port} is free")


def _api(url: str, token: str | None) -> Iterator[Finding]:
    try:
        with Api(url, token, timeout_s=10) as api:
            yield _ready(api)
            yield _allowed(api)
            yield from _workers(api)
    except Complaint as complaint:
        yield Finding(Level.WARN, "api", str(complaint))


def _ready(api: Api) -> Finding:
    answer = api.try_get("/readyz")
    if answer.status == 200:
        return Finding(Level.OK, "api", f"{api.url} is ready")
    return Finding(Level.FAIL, "api", answer.problem().line(), "look into its log")


def _workers(api: Api) -> Iterator[Finding]:
    """Tell whether all workers started with the same configuration, if that may be known."""
    answer = api.try_get("/v1/workers")
    if answer.status != 200:
        return
    found = answer.json()["items"]
    if said := apart(found):
        yield Finding(Level.WARN, "workers", *said)
    else:
        yield Finding(Level.OK, "workers", f"{len(found)}, with one configuration")


def _allowed(api: Api) -> Finding:
    answer = api.try_get("/v1/recipients")
    if answer.status == 200:
        return Finding(Level.OK, "api access", "allowed")
    return Finding(Level.FAIL, "api access", answer.problem().line())
