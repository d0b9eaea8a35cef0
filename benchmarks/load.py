"""What all benchmarks share: payloads, configurations, clocks."""

import resource
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import psutil

PAYLOAD_BYTES = 500
DEAD = "dead"
"""A recipient that nothing listens for."""
HUNG = "hung"
"""A recipient that takes requests and never answers."""
_CLOSED_PORT = 9


def payload(number: int) -> bytes:
    """Return a lead of 500 bytes as JSON; its id comes first."""
    lead = {"lead": {"id": number, "email": f"lead{number}@example.com", "note": ""}}
    short = PAYLOAD_BYTES - len(msgspec.json.encode(lead))
    lead["lead"]["note"] = "x" * short
    return msgspec.json.encode(lead)


def names(recipients: int) -> list[str]:
    """Return the names of the healthy recipients; their flows have the same."""
    return [f"r{number:05}" for number in range(recipients)]


def envelope(number: int, key: str | None = None) -> bytes:
    """Return the body that intake takes for that lead."""
    message: dict[str, object] = {"payload": msgspec.Raw(payload(number))}
    if key is not None:
        message["key"] = key
    return msgspec.json.encode(message)


def configure(
    folder: Path,
    sink_port: int,
    recipients: int,
    *,
    bad: Iterable[str] = (),
    store: str | None = None,
    slots: int = 512,
) -> Path:
    """Write a configuration with one flow per recipient and return its path.

    Args:
        folder: new; the data go into it too.
        sink_port: where the partner listens.
        recipients: healthy ones.
        bad: `DEAD`, `HUNG`, or both, besides them.
        store: URL of a database; None: the embedded store.
        slots: most sends at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f'data = "{folder / "data"}"',
        "[server]\nport = 0\nmetrics_port = 0",
        f"[engine]\nshutdown_seconds = 0.5\nmax_in_flight = {slots}",
        '[log]\nlevel = "error"',
    ]
    if store is not None:
        lines.append(f'[store]\nurl = "{store}"')
    for name in (*names(recipients), *bad):
        port = _CLOSED_PORT if name == DEAD else sink_port
        lines.append(
            f"[recipients.{name}]\n"
            f'url = "http://127.0.0.1:{port}/{HUNG if name == HUNG else "leads"}"\n'
            "allow_private = true\n"
            f"[flows.{name}]\n"
            f'steps = [{{ name = "{name}", recipient = "{name}" }}]'
        )
    path = folder / "holdfast.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


class Stopwatch:
    """Wall and CPU time of this process since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = _cpu()

    def read(self, count: int) -> dict[str, float]:
        """Return how many, seconds, things per second and CPU microseconds per thing."""
        seconds = time.perf_counter() - self._wall
        return {
            "count": count,
            "seconds": round(seconds, 4),
            "per_second": round(count / seconds, 1),
            "cpu_us": round((_cpu() - self._cpu) / count * 1e6, 1),
        }


def peak_memory(pid: int | None = None) -> int:
    """Return the most bytes that a process (this one) had in memory so far.

    Linux tells it; elsewhere it is what the process has now.
    """
    status = Path(f"/proc/{pid or 'self'}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    memory: int = psutil.Process(pid).memory_info().rss
    return memory


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
