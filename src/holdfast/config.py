"""The configuration: one frozen tree, read once from `holdfast.toml` and the environment.

Precedence: arguments of the command line, `HOLDFAST_*` variables, the file, the defaults.
A value that cannot be used is a `ConfigError` that names file, place, value and allowed range.
Relative paths are relative to the working directory.
"""

import functools
import ipaddress
import os
import re
import stat
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from holdfast.engine.settings import EngineSettings
from holdfast.errors import ConfigError, InvalidInput
from holdfast.model.flow import Account, Catalog, Endpoint, Flow, Limits, Recipient, Step
from holdfast.model.policy import PolicySettings
from holdfast.model.rule import DeliveryRule
from holdfast.model.shape import explain, refuse
from holdfast.policy import precedence

FILE: Final = "holdfast.toml"
_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB
_REFERENCE: Final = re.compile(r"env:[A-Za-z_]\w*$|file:.")
_SECRETS: Final = ("server", "store", "recipients")
"""Tables whose strings may be references."""
_DATABASE: Final = re.compile(r"postgres(ql)?://\S+$")
_SECTIONS: Final = ("server", "store", "engine", "retention", "log")
STRATEGIES: Final = {
    "IMMEDIATE": "immediate",
    "FIXED_INTERVAL": "fixed",
    "EXPONENTIAL_BACKOFF": "exponential",
    "LINEAR_BACKOFF": "linear",
    "JITTER": "jitter",
    "CIRCUIT_BREAKER": "circuit_breaker",
    "HYBRID": "hybrid",
    "ADAPTIVE": "adaptive",
}
"""Values of `RETRY_STRATEGY` (S5.28) and the strategies they mean."""
_HYBRID: Final = ({"strategy": "immediate", "attempts": 1}, {"strategy": "exponential"})
"""What HYBRID means where the file gives no phases (S1.32)."""

Port = Annotated[int, Meta(ge=0, le=65_535)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
Token = Annotated[str, Meta(min_length=8, max_length=512, pattern=r"^[\x21-\x7e]+$")]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the parts of the file that are not the catalog."""


class Server(Section, frozen=True):
    """The API.

    Attributes:
        host: address to listen on; anything but loopback needs a token.
        port: 0 takes a free one.
        metrics_port: port of the Prometheus metrics (C21); 0 takes a free one.
        token: bearer token that every request must carry; `env:NAME` and `file:PATH` work.
        allowed_hosts: names besides localhost under which browsers may reach us.
        max_batch_bytes: largest body of a batch.
        max_batch_lines: most lines of a batch.
    """

    host: str = "127.0.0.1"
    port: Port = 8420
    metrics_port: Port = 9090
    token: Token | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_batch_bytes: Annotated[int, Meta(ge=1024, le=_GIB)] = 16 * _MIB
    max_batch_lines: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000


class StoreSettings(Section, frozen=True):
    """Where everything is kept. `store = "postgresql://..."` is short for its `url`.

    Attributes:
        url: a PostgreSQL database, `postgresql://USER@HOST:PORT/DATABASE`, with several hosts
            apart by commas; `env:NAME` and `file:PATH` work. None: a file in the data folder.
        prepared_statements: false behind a pooler in transaction mode.
        quota_bytes: largest size of the embedded store, None: the disk decides.
        reserve_bytes: kept free of intake, so that settlements still fit (S5.41); embedded only.
    """

    url: str | None = None
    prepared_statements: bool = True
    quota_bytes: Annotated[int, Meta(ge=_MIB)] | None = None
    reserve_bytes: Annotated[int, Meta(ge=0, le=1024 * _GIB)] = 64 * _MIB

    def __repr__(self) -> str:
        kept = "the data folder" if self.url is None else "a database"  # the URL holds a password
        return f"StoreSettings({kept})"


class RetentionSettings(Section, frozen=True):
    """How long what has ended is kept, in days.

    Attributes:
        payload_days: payloads of messages with nothing pending.
        rows_days: such messages with their deliveries.
        events_days: retry events.
        key_days: idempotency keys; never shorter than the payload.
    """

    payload_days: Days = 7
    rows_days: Days = 90
    events_days: Days = 90
    key_days: Days = 30


class LogSettings(Section, frozen=True):
    """Where our log goes.

    Attributes:
        level: least severity that is written.
        path: a file that rotates at 50 MB, such as `/var/log/recovery/engine.log`; None: stderr.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    path: str | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is configured. `data` is the folder of the store and the keys."""

    data: Path = Path(".holdfast")
    server: Server = Server()
    store: StoreSettings = StoreSettings()
    engine: EngineSettings = EngineSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    catalog: Catalog = Catalog()


def load(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """Read the configuration.

    Args:
        path: the file; None: `HOLDFAST_CONFIG`, else `holdfast.toml` when there is one.
        environ: the process environment; secrets given as `env:NAME` come from here too.
        overrides: dotted place -> value, such as `{"server.port": 0}`; None is no override.

    Raises:
        ConfigError: it cannot be used.
    """
    source, raw = _read(path, environ)
    try:
        if isinstance(raw.get("store"), str):
            _put(raw, "store", raw.pop("store"))
        _apply_environment(raw, environ)
        for place, value in (overrides or {}).items():
            if value is not None:
                _put(raw, place, str(value) if isinstance(value, Path) else value)
        _resolve_secrets(raw, "", environ)
        return _build(raw)
    except InvalidInput as error:
        raise ConfigError(f"{source}: {error}") from error


def source(path: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the file's tables as written, secrets as references; no file: none.

    Raises:
        ConfigError: it cannot be read.
    """
    return _read(path, environ)[1]


def prepare_data(config: Config) -> Path:
    """Create the data folder with mode 0700, or refuse one that others may enter (S5.25).

    Raises:
        ConfigError: it is no folder, cannot be made, or is not private.
    """
    folder = config.data
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"data: cannot create the folder {folder}: {error.strerror}") from error
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"data: {folder} has mode {mode:04o}, so that others can read what it holds; "
            f"allowed: 0700. Run: chmod 700 {folder}"
        )
    if os.geteuid() not in {0, found.st_uid}:
        raise ConfigError(f"data: {folder} belongs to user {found.st_uid}, not to us")
    return folder


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def schema() -> dict[str, Any]:
    """Return the JSON schema of `holdfast.toml`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **msgspec.json.schema(_tables()["file"]),
        "title": FILE,
    }


def _read(path: Path | None, environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    given = path or (Path(environ["HOLDFAST_CONFIG"]) if environ.get("HOLDFAST_CONFIG") else None)
    file = given or Path(FILE)
    if given is None and not file.exists():
        return "configuration", {}
    try:
        return str(file), tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:  # its message ends with line and column
        raise ConfigError(f"{file} is not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error


def _apply_environment(raw: dict[str, Any], environ: Mapping[str, str]) -> None:
    known = _variables()
    for name, value in sorted(environ.items()):
        if name in known:
            place, kind = known[name]
            _put(raw, place, _from_text(name, value, kind))
        elif name.startswith(tuple(f"HOLDFAST_{section.upper()}_" for section in _SECTIONS)):
            raise InvalidInput(name, "***", "one of: " + ", ".join(sorted(known)))
    if strategy := environ.get("RETRY_STRATEGY"):
        _apply_strategy(raw, strategy)


def _apply_strategy(raw: dict[str, Any], given: str) -> None:
    known = ", ".join(STRATEGIES)
    if given.upper() not in STRATEGIES:
        raise InvalidInput("RETRY_STRATEGY", given, known)
    _put(raw, "policy.strategy", STRATEGIES[given.upper()])
    if given.upper() == "HYBRID":
        raw["policy"].setdefault("phases", [dict(phase) for phase in _HYBRID])


@functools.cache
def _variables() -> dict[str, tuple[str, Any]]:
    """Return variable -> (dotted place, type)."""
    known: dict[str, tuple[str, Any]] = {
        "HOLDFAST_TOKEN": ("server.token", str),
        "HOLDFAST_DATA": ("data", str),
        "HOLDFAST_STORE": ("store.url", str),
    }
    kinds = typing.get_type_hints(Config)
    for section in _SECTIONS:
        for field, kind in typing.get_type_hints(kinds[section], include_extras=True).items():
            known[f"HOLDFAST_{section}_{field}".upper()] = (f"{section}.{field}", kind)
    return known


def _from_text(name: str, text: str, kind: Any) -> object:
    value: object = text
    if kind == tuple[str, ...]:
        value = [part.strip() for part in text.split(",") if part.strip()]
    elif kind is typing.get_type_hints(LogSettings)["level"]:
        value = text.lower()
    try:
        return msgspec.to_builtins(msgspec.convert(value, kind, strict=False))
    except msgspec.ValidationError as error:
        secret = name.endswith("TOKEN")
        problem = explain(error, value, kind)
        raise InvalidInput(name, "***" if secret else problem.value, problem.allowed) from error


def _put(raw: dict[str, Any], place: str, value: object) -> None:
    if place == "store" and isinstance(value, str):
        place = "store.url"
    *sections, field = place.split(".")
    for section in sections:
        raw = raw.setdefault(section, {})
        if not isinstance(raw, dict):
            raise InvalidInput(section, raw, "a table")
    raw[field] = value


def _resolve_secrets(raw: Any, place: str, environ: Mapping[str, str]) -> None:
    """Replace `env:NAME` and `file:PATH` where secrets may stand, in place."""
    items = raw.items() if isinstance(raw, dict) else enumerate(raw)
    for key, value in list(items):
        inner = f"{place}.{key}".lstrip(".")
        if isinstance(value, dict | list):
            if inner.startswith(_SECRETS):
                _resolve_secrets(value, inner, environ)
        elif isinstance(value, str) and _REFERENCE.match(value) and key != "description":
            raw[key] = _secret(inner, value, environ)


def _secret(place: str, reference: str, environ: Mapping[str, str]) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        if not (value := environ.get(name)):
            raise InvalidInput(place, reference, f"a variable that is set ({name} is not)")
        return value
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(place, reference, f"a text file that can be read ({error})") from error


def _build(raw: dict[str, Any]) -> Config:
    tables = _tables()
    known = {field.name for field in msgspec.structs.fields(tables["file"])}
    _convert({name: raw[name] for name in raw.keys() - known}, tables["file"], "")  # all unknown
    sections = {
        name: _convert(raw.get(name, {}), kind, name)
        for name, kind in typing.get_type_hints(Config).items()
        if name in _SECTIONS
    }
    data = _convert(raw.get("data", ".holdfast"), Annotated[str, Meta(min_length=1)], "data")
    config = Config(data=Path(data), catalog=_catalog(raw, tables), **sections)
    _check(config)
    return config


def _check(config: Config) -> None:
    server, keep, store = config.server, config.retention, config.store
    if store.url is not None and not _DATABASE.match(store.url):
        allowed = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        raise InvalidInput("store.url", "***", allowed)  # it may hold a password
    if store.url is not None and store.quota_bytes is not None:
        allowed = "none with store.url: the disk of the database's server decides"
        raise InvalidInput("store.quota_bytes", store.quota_bytes, allowed)
    if server.token is None and not is_loopback(server.host):
        raise InvalidInput(
            "server.host",
            server.host,
            "127.0.0.1, ::1 or localhost without a token; to listen elsewhere set server.token "
            "(or HOLDFAST_TOKEN) to at least 8 characters",
        )
    if keep.key_days < keep.payload_days:
        raise InvalidInput(
            "retention.key_days", keep.key_days, f"at least payload_days ({keep.payload_days})"
        )


def _catalog(raw: dict[str, Any], tables: dict[str, Any]) -> Catalog:
    def named(section: str, kind: Any) -> list[tuple[str, str, Any, Any]]:
        found = raw.get(section, {})
        if not isinstance(found, dict):
            raise refuse(section, found, f"tables such as [{section}.NAME]")
        return [
            (name, f"{section}.{name}", table, _convert(table, kind, f"{section}.{name}"))
            for name, table in found.items()
        ]

    catalog = Catalog(
        policy=_convert(raw.get("policy", {}), PolicySettings, "policy"),
        limits=_convert(raw.get("limits", {}), Limits, "limits"),
        templates={name: read for name, _, _, read in named("templates", PolicySettings)},
        accounts={
            name: Account(name=name, **msgspec.structs.asdict(read))
            for name, _, _, read in named("accounts", tables["account"])
        },
        recipients={
            name: _recipient(name, place, table, read)
            for name, place, table, read in named("recipients", tables["recipient"])
        },
        flows={name: _flow(name, read) for name, _, _, read in named("flows", tables["flow"])},
        rules=_convert(raw.get("rules", []), tuple[DeliveryRule, ...], "rules"),
    )
    _validate(catalog, raw)
    return catalog


def _validate(catalog: Catalog, raw: dict[str, Any]) -> None:
    try:
        precedence.validate(catalog)
    except InvalidInput as error:
        section, _, rest = error.field.partition(".")
        name, inline, field = rest.partition(".endpoints.0.")
        if section == "recipients" and inline and "endpoints" not in raw[section][name]:
            place = f"recipients.{name}.{field}"  # as it stands in the file
            raise InvalidInput(place, error.value, error.allowed) from error
        raise


def _recipient(name: str, place: str, table: dict[str, Any], read: Any) -> Recipient:
    values = msgspec.structs.asdict(read)
    inline = {field: values.pop(field) for field in _fields(Endpoint, "name")}
    given = sorted(table.keys() & inline.keys())
    if values["endpoints"] and given:
        raise refuse(
            f"{place}.{given[0]}", table[given[0]], f"either this or [[{place}.endpoints]]"
        )
    if not values["endpoints"]:
        if "url" not in given:
            raise refuse(f"{place}.url", None, f"a URL, or [[{place}.endpoints]] with URLs")
        values["endpoints"] = (Endpoint(**inline),)
    return Recipient(name=name, **values)


def _flow(name: str, read: Any) -> Flow:
    values = msgspec.structs.asdict(read)
    steps = [msgspec.structs.asdict(step) for step in values.pop("steps")]
    named = tuple(Step(**{**step, "name": step["name"] or step["recipient"]}) for step in steps)
    return Flow(name=name, steps=named, **values)


def _convert(value: object, kind: Any, place: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = explain(error, value, kind)
        inner = "" if found.field == "body" else found.field
        field = ".".join(part for part in (place, inner) if part)
        raise refuse(field, found.value, found.allowed) from error


@functools.cache
def _fields(kind: type[msgspec.Struct], *without: str) -> dict[str, tuple[Any, Any]]:
    """Return name -> (type, default) of a struct's fields; `NODEFAULT` where it is required."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(kind):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = msgspec.field(default_factory=field.default_factory)
        if field.name not in without:
            found[field.name] = (hints[field.name], default)
    return found


def _table(name: str, fields: dict[str, tuple[Any, Any]]) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        name,
        [
            (field, kind) if default is msgspec.NODEFAULT else (field, kind, default)
            for field, (kind, default) in fields.items()
        ],
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
        module=__name__,
    )


@functools.cache
def _tables() -> dict[str, type[msgspec.Struct]]:
    """Return the shapes of the file's tables: the model's, with the names taken from the keys."""
    recipient = _fields(Recipient, "name") | _fields(Endpoint, "name")
    recipient["endpoints"] = (recipient["endpoints"][0], ())
    recipient["url"] = (str, "")
    recipient_table = _table("RecipientTable", recipient)
    step = _table("StepTable", _fields(Step) | {"name": (str, "")})
    flow = _table("FlowTable", _fields(Flow, "name") | {"steps": (tuple[step, ...], ())})  # type: ignore[valid-type]
    account = _table("AccountTable", _fields(Account, "name"))
    file = {name: (kind, kind()) for name, kind in typing.get_type_hints(Config).items()}
    del file["catalog"]
    file["data"] = (str, ".holdfast")
    file["store"] = (StoreSettings | str, StoreSettings())
    file["policy"] = (PolicySettings, PolicySettings())
    file["limits"] = (Limits, Limits())
    file["rules"] = (tuple[DeliveryRule, ...], ())
    by_name = {
        "templates": PolicySettings,
        "accounts": account,
        "recipients": recipient_table,
        "flows": flow,
    }
    for section, kind in by_name.items():
        file[section] = (dict[str, kind], msgspec.field(default_factory=dict))  # type: ignore[valid-type]
    return {
        "recipient": recipient_table,
        "flow": flow,
        "account": account,
        "file": _table("File", file),
    }
