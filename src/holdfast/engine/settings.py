"""Limits of one worker."""

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.model.worker import LEASE_MS


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one worker.

    Attributes:
        max_in_flight: most unsettled sends; after a crash at most these may be sent twice.
        max_payload_bytes: larger payloads are refused with 413.
        buffer_rows: most buffered deliveries of a lane, per band.
        buffer_total: most buffered deliveries of all lanes.
        intake_queue: most messages that wait for the writer before intake answers 429.
        shutdown_seconds: sends may finish for this long before they are given back.
        lease_seconds: a worker that was not heard of for so long has lost its lanes; of no
            importance where one process owns everything.
    """

    max_in_flight: Annotated[int, Meta(ge=1, le=10_000)] = 512
    max_payload_bytes: Annotated[int, Meta(ge=1, le=64 * 1_048_576)] = 1_048_576
    buffer_rows: Annotated[int, Meta(ge=1, le=10_000)] = 128
    buffer_total: Annotated[int, Meta(ge=1, le=10_000_000)] = 50_000
    intake_queue: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    shutdown_seconds: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    lease_seconds: Annotated[float, Meta(ge=3, le=300)] = LEASE_MS / 1000
