"""What all benchmarks share: payloads, catalogs, clocks."""

import resource
import time
from pathlib import Path
from typing import Any

import msgspec

from holdfast.config import Config, Server, StoreSettings
from holdfast.engine.engine import EngineSettings
from holdfast.model.flow import Catalog, Endpoint, Flow, Recipient, Step
from holdfast.model.submission import Submission

PAYLOAD_BYTES = 500


def payload(number: int) -> bytes:
    """Return a lead of 500 bytes as JSON."""
    lead = {"lead": {"id": number, "email": f"lead{number}@example.com", "note": ""}}
    short = PAYLOAD_BYTES - len(msgspec.json.encode(lead))
    lead["lead"]["note"] = "x" * short
    return msgspec.json.encode(lead)


def submission(number: int) -> Submission:
    """Return a message with that lead."""
    return Submission(payload=msgspec.Raw(payload(number)))


def config(folder: Path, port: int, recipients: int, **engine: Any) -> Config:
    """Return a configuration with one flow per recipient, all at the sink."""
    names = [f"r{number:05}" for number in range(recipients)]
    return Config(
        data=folder,
        server=Server(port=0, metrics_port=0),
        store=StoreSettings(reserve_bytes=0),
        engine=EngineSettings(**engine),
        catalog=Catalog(
            recipients={name: _recipient(name, port) for name in names},
            flows={name: _flow(name) for name in names},
        ),
    )


def _recipient(name: str, port: int) -> Recipient:
    url = f"http://127.0.0.1:{port}/leads"
    return Recipient(name=name, endpoints=(Endpoint(url=url, allow_private=True),))


def _flow(name: str) -> Flow:
    return Flow(name=name, steps=(Step(name=name, recipient=name),))


class Stopwatch:
    """Wall and CPU time of this process since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = _cpu()

    def read(self, count: int) -> dict[str, float]:
        """Return seconds, things per second and CPU microseconds per thing."""
        seconds = time.perf_counter() - self._wall
        return {
            "count": count,
            "seconds": round(seconds, 4),
            "per_second": round(count / seconds, 1),
            "cpu_us": round((_cpu() - self._cpu) / count * 1e6, 1),
        }


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
