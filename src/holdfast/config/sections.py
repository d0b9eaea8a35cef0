"""The parts of the file that are not the catalog."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB

Port = Annotated[int, Meta(ge=0, le=65_535)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
Token = Annotated[str, Meta(min_length=8, max_length=512, pattern=r"^[\x21-\x7e]+$")]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the parts of the file that are not the catalog."""


class Server(Section, frozen=True):
    """The API.

    Attributes:
        host: address to listen on; anything but loopback needs a token, or `local_owner = false`.
        port: 0 takes a free one.
        metrics_port: port of the Prometheus metrics (C21); 0 takes a free one.
        token: bearer token that opens everything; `env:NAME` and `file:PATH` work.
        local_owner: on loopback and without `token`, whoever shows nothing may do everything.
        allowed_hosts: names besides localhost under which browsers may reach us.
        trusted_proxies: addresses or networks whose `X-Forwarded-For` says who asks.
        max_batch_bytes: largest body of a batch.
        max_batch_lines: most lines of a batch.
    """

    host: str = "127.0.0.1"
    port: Port = 8420
    metrics_port: Port = 9090
    token: Token | None = None
    local_owner: bool = True
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
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
        audit_days: audit lines, but for revoked consents; never shorter than the rows.
    """

    payload_days: Days = 7
    rows_days: Days = 90
    events_days: Days = 90
    key_days: Days = 30
    audit_days: Days = 3650


class LogSettings(Section, frozen=True):
    """Where our log goes.

    Attributes:
        level: least severity that is written.
        path: a file that rotates at 50 MB, such as `/var/log/recovery/engine.log`; None: stderr.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    path: str | None = None


class ChangesSettings(Section, frozen=True):
    """How this file may be changed.

    Attributes:
        approval: the next version needs somebody else's approval before a process starts with it;
            so does the one that ends this. Only the file says it, no variable does.
    """

    approval: bool = False
