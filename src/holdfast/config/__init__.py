"""The configuration: one frozen tree, read once from `holdfast.toml` and the environment.

Precedence: arguments of the command line, `HOLDFAST_*` variables, the file, the defaults.
A value that cannot be used is a `ConfigError` that names file, place, value and allowed range.
Relative paths are relative to the working directory.
"""

import copy
import functools
import os
import stat
import tomllib
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from holdfast.config.checking import check, is_loopback
from holdfast.config.sections import (
    ChangesSettings,
    LogSettings,
    RetentionSettings,
    Server,
    StoreSettings,
)
from holdfast.config.stand_in import TOKEN, stand_in
from holdfast.engine.settings import EngineSettings, SpoolSettings
from holdfast.errors import ConfigError, InvalidInput
from holdfast.model.configuration import Written
from holdfast.model.flow import Account, Catalog, Endpoint, Flow, Limits, Recipient, Step
from holdfast.model.policy import PolicySettings
from holdfast.model.rule import DeliveryRule
from holdfast.model.shape import explain, refuse
from holdfast.policy import precedence
from holdfast.policy.written import REFERENCE

__all__ = [
    "FILE",
    "FILE_ALONE",
    "SECTIONS",
    "STRATEGIES",
    "ChangesSettings",
    "Config",
    "Loaded",
    "LogSettings",
    "RetentionSettings",
    "Server",
    "StoreSettings",
    "is_loopback",
    "load",
    "parsed",
    "prepare_data",
    "read",
    "schema",
    "source",
]

FILE: Final = "holdfast.toml"
_SECRETS: Final = ("server", "store", "recipients")
"""Tables whose strings may be references."""
SECTIONS: Final = ("server", "store", "spool", "engine", "retention", "log", "changes")
FILE_ALONE: Final = frozenset({"changes"})
"""Sections that no variable sets."""
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


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is configured. `data` is the folder of the store and the keys."""

    data: Path = Path(".holdfast")
    server: Server = Server()
    store: StoreSettings = StoreSettings()
    spool: SpoolSettings = SpoolSettings()
    engine: EngineSettings = EngineSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    changes: ChangesSettings = ChangesSettings()
    catalog: Catalog = Catalog()


class Loaded(NamedTuple):
    """A configuration, and what its file says."""

    config: Config
    written: Written


def load(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """Read the configuration; see `read`."""
    return read(path, environ, overrides).config


def read(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
) -> Loaded:
    """Read the configuration, and keep what its file says.

    Args:
        path: the file; None: `HOLDFAST_CONFIG`, else `holdfast.toml` when there is one.
        environ: the process environment; secrets given as `env:NAME` come from here too.
        overrides: dotted place -> value, such as `{"server.port": 0}`; None is no override.

    Raises:
        ConfigError: it cannot be used.
    """
    source, raw = _read(path, environ)
    tree = copy.deepcopy(raw)
    given = {place: value for place, value in (overrides or {}).items() if value is not None}
    try:
        if isinstance(raw.get("store"), str):
            _put(raw, "store", raw.pop("store"))
        outside = [*_apply_environment(raw, environ), *given]
        for place, value in given.items():
            _put(raw, place, str(value) if isinstance(value, Path) else value)
        _resolve_secrets(raw, "", functools.partial(_secret, environ=environ))
        return Loaded(_build(raw), Written(tree, tuple(outside), source))
    except InvalidInput as error:
        raise ConfigError(f"{source}: {error}") from error


def parsed(text: str) -> Written:
    """Check the text of a configuration that does not run here, and return what it says.

    References lead nowhere here, so something of the right shape stands for what they lead to.

    Raises:
        InvalidInput: it cannot be used.
    """
    try:
        tree = tomllib.loads(text)
        raw = copy.deepcopy(tree)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("content", "***", f"valid TOML ({error})") from error
    except RecursionError as error:
        raise InvalidInput("content", "***", "TOML with fewer levels") from error
    if isinstance(raw.get("store"), str):
        _put(raw, "store", raw.pop("store"))
    if isinstance(server := raw.setdefault("server", {}), dict):
        server.setdefault("token", TOKEN)  # a variable may give it
    _resolve_secrets(raw, "", stand_in)
    _build(raw)
    return Written(tree)


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


def _apply_environment(raw: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Put in what variables say, and return the places."""
    known, places = _variables(), []
    for name, value in sorted(environ.items()):
        if name in known:
            place, kind = known[name]
            _put(raw, place, _from_text(name, value, kind))
            places.append(place)
        elif name.startswith(tuple(f"HOLDFAST_{section.upper()}_" for section in SECTIONS)):
            raise InvalidInput(name, "***", "one of: " + ", ".join(sorted(known)))
    if strategy := environ.get("RETRY_STRATEGY"):
        _apply_strategy(raw, strategy)
        places.append("policy.strategy")
    return places


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
    for section in sorted(set(SECTIONS) - FILE_ALONE):
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


def _resolve_secrets(raw: Any, place: str, look: Callable[[str, str], str]) -> None:
    """Replace `env:NAME` and `file:PATH` where secrets may stand, in place."""
    items = raw.items() if isinstance(raw, dict) else enumerate(raw)
    for key, value in list(items):
        inner = f"{place}.{key}".lstrip(".")
        if isinstance(value, dict | list):
            if inner.startswith(_SECRETS):
                _resolve_secrets(value, inner, look)
        elif isinstance(value, str) and REFERENCE.match(value) and key != "description":
            raw[key] = look(inner, value)


def _secret(place: str, reference: str, environ: Mapping[str, str]) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        if not (value := environ.get(name)):
            raise InvalidInput(place, reference, f"a variable that is set ({name} is not)")
        return value
    try:
        value = Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(place, reference, f"a text file that can be read ({error})") from error
    if not value:
        raise InvalidInput(place, reference, f"a file that holds something ({name} is empty)")
    return value


def _build(raw: dict[str, Any]) -> Config:
    tables = _tables()
    known = {field.name for field in msgspec.structs.fields(tables["file"])}
    _convert({name: raw[name] for name in raw.keys() - known}, tables["file"], "")  # all unknown
    sections = {
        name: _convert(raw.get(name, {}), kind, name)
        for name, kind in typing.get_type_hints(Config).items()
        if name in SECTIONS
    }
    data = _convert(raw.get("data", ".holdfast"), Annotated[str, Meta(min_length=1)], "data")
    config = Config(data=Path(data), catalog=_catalog(raw, tables), **sections)
    check(config.server, config.retention, config.store)
    return config


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
