"""Limits of one worker."""

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.model.alert import CRITICAL_PRIORITY
from holdfast.model.worker import LEASE_MS


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one worker.

    Attributes:
        max_in_flight: most unsettled sends; after a crash at most these may be sent twice.
        max_payload_bytes: larger payloads are refused with 413.
        buffer_rows: most buffered deliveries of a lane, per band.
        buffer_total: most buffered deliveries of all lanes.
        intake_queue: most messages that wait for the writer before intake answers 429.
        intake_bytes: most bytes that such messages will take in the store before it answers so.
        shutdown_seconds: sends may finish for this long before they are given back.
        lease_seconds: a worker that was not heard of for so long has lost its lanes; of no
            importance where one process owns everything.
        critical_priority: deliveries of this priority or above that fail are shown as critical.
    """

    max_in_flight: Annotated[int, Meta(ge=1, le=10_000)] = 512
    max_payload_bytes: Annotated[int, Meta(ge=1, le=64 * 1_048_576)] = 1_048_576
    buffer_rows: Annotated[int, Meta(ge=1, le=10_000)] = 128
    buffer_total: Annotated[int, Meta(ge=1, le=10_000_000)] = 50_000
    intake_queue: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    intake_bytes: Annotated[int, Meta(ge=1_048_576, le=64 * 1_073_741_824)] = 134_217_728
    shutdown_seconds: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    lease_seconds: Annotated[float, Meta(ge=3, le=300)] = LEASE_MS / 1000
    critical_priority: Annotated[int, Meta(ge=0, le=9)] = CRITICAL_PRIORITY


class SpoolSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The local journal that takes messages while a store on a server is away (S5.61).

    Attributes:
        enabled: false: intake answers 503 then; what is in the spool is drained all the same.
        path: a folder with mode 0700, made when it is not there; on a disk that outlives a restart.
        max_bytes: largest size of what waits in it; with more intake answers 503.
        allow_volatile: use it also where it is gone after a restart (tmpfs).
        patience_seconds: a commit that takes longer means that the store is away.
    """

    enabled: bool = True
    path: Annotated[str, Meta(min_length=1)] = "/tmp/recovery_cache"  # noqa: S108  # C20; 0700
    max_bytes: Annotated[int, Meta(ge=1_048_576, le=1024 * 1_073_741_824)] = 268_435_456
    allow_volatile: bool = False
    patience_seconds: Annotated[float, Meta(ge=0.5, le=60)] = 5.0
