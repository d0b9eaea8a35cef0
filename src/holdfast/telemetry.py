"""Every log event Holdfast writes, with its fields; handlers and formats attach here.

Log lines are one JSON object each. Fields never hold payloads or secrets. The strings that
operators grep for (S5.38) appear as they are: `ETIMEDOUT`, `ECONNREFUSED`, `status=503`.
"""

import json
import logging
import sys
from enum import StrEnum
from typing import Any

from holdfast.errors import ConfigError

logger = logging.getLogger("holdfast")


class LogEvent(StrEnum):
    """Name -> meaning (fields in parentheses). The reference page is checked against this list."""

    STARTED = "started"
    """The engine runs (epoch, clean, lanes, pending)."""
    LISTENER_DROPPED = "listener_dropped"
    """A listener of the stream read too slowly and was let go (waiting: words it had not read)."""
    RELOADED = "reloaded"
    """SIGHUP: the configuration was read again (max_in_flight: as it is from now on)."""
    RELOAD_REFUSED = "reload_refused"
    """SIGHUP: the configuration has a mistake or is not approved; nothing was changed (error)."""
    STOPPED = "stopped"
    """The engine has stopped (gave_back: sends that were cut and stay pending)."""
    ATTEMPT_FAILED = "attempt_failed"
    """A send did not succeed (delivery, recipient, detail, next)."""
    DEAD = "dead"
    """A delivery left automatic tries (delivery, recipient, code)."""
    SKIPPED = "skipped"
    """A delivery must not be sent: consent or region (delivery, recipient, code, reason)."""
    BREAKER = "breaker"
    """A lane's breaker changed (recipient, before, after, reason)."""
    LANE_HELD = "lane_held"
    """A lane waits (recipient, gate, until)."""
    ENDPOINT_DISABLED = "endpoint_disabled"
    """A partner answered 410 (recipient, endpoint)."""
    STORE_FULL = "store_full"
    """No space: intake refuses, settlements go on from the reserve (free)."""
    STORE_RECOVERED = "store_recovered"
    """There is space again (free)."""
    SPOOLING = "spooling"
    """The store is away: intake goes into the spool (spool: where it is)."""
    SPOOL_DRAINED = "spool_drained"
    """What was in the spool is in the store (messages, seconds since the oldest came)."""
    SPOOL_FULL = "spool_full"
    """The spool has reached its limit or its disk is full: intake answers 503 or 507 (error)."""
    SPOOL_OFF = "spool_off"
    """There is no spool: while the store is away intake answers 503 (reason)."""
    SPOOL_VOLATILE = "spool_volatile"
    """The spool does not outlive a restart of the machine, as it is configured (spool)."""
    SPOOL_TORN = "spool_torn"
    """A file of the spool ends in a write that was cut, of which nobody was told (file, bytes)."""
    SPOOL_DAMAGED = "spool_damaged"
    """A record cannot be read or is refused; its file is kept (file, offset, error)."""
    SPOOL_COLLISION = "spool_collision"
    """A spooled key was used for another payload: its delivery is dead (delivery, recipient)."""
    STORE_ERROR = "store_error"
    """A commit failed and is tried again (error)."""
    LOOP_ERROR = "loop_error"
    """A background loop failed (loop, error); all but the writer, whose process ends, go on."""
    GROUP_REGRESSED = "group_regressed"
    """A failure group that was resolved was seen again (group, recipient, at)."""
    ACTION = "action"
    """A person changed something (action, subject, actor)."""
    EMERGENCY = "emergency"
    """Somebody raised itself, or recovered a lane (action, actor, subject, reason)."""
    CATALOG_CHANGED = "catalog_changed"
    """A new version of the configuration is in force (version)."""
    RULE_FAILED = "rule_failed"
    """A rule could not be evaluated and was as if absent, once a minute per rule (rule, error)."""
    JOINED = "joined"
    """A worker that had lost its lanes works again, under a new epoch (epoch)."""
    LOST = "lost"
    """Others have taken this worker for dead: it lets go of its lanes (epoch, lanes)."""
    EXPELLED = "expelled"
    """Workers were not heard of in time; their lanes are free (epochs, by)."""
    LEASE_RENEWED = "lease_renewed"
    """The store answers again after the lease had ended; sending goes on (epoch)."""
    LANE_ACQUIRED = "lane_acquired"
    """A lane is this worker's now; clean: it was given away (recipient, epoch, clean)."""
    LANE_RELEASED = "lane_released"
    """A lane is given away with the next commit (recipient, epoch)."""
    API_ERROR = "api_error"
    """A request met an error that nobody foresaw (error)."""


def log(event: LogEvent, level: int = logging.INFO, **fields: Any) -> None:
    """Write one event; fields that are None are left out."""
    if logger.isEnabledFor(level):
        logger.log(level, event.value, extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", {})
        line |= {name: value for name, value in fields.items() if value is not None}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: str = "INFO", path: str | None = None) -> None:
    """Send our events to stderr, or to a rotating file (`/var/log/recovery/engine.log`, S5.37).

    Raises:
        ConfigError: the file cannot be written.
    """
    import time  # noqa: PLC0415  # only the converter is needed, and only here
    from logging.handlers import RotatingFileHandler  # noqa: PLC0415

    handler: logging.Handler
    if path is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        try:
            handler = RotatingFileHandler(path, maxBytes=50_000_000, backupCount=5)
        except OSError as error:
            raise ConfigError(f"log.path: cannot write {path!r}: {error.strerror}") from error
    formatter = JsonFormatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
