"""What the figures were measured on."""

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import apsw
import msgspec
import psutil

import holdfast


class Machine(msgspec.Struct, frozen=True):
    """The machine and the versions; `fsync_ms` is what making a write durable costs here."""

    at: str
    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    sqlite: str
    holdfast: str
    fsync_ms: float
    load: float


def describe() -> Machine:
    """Look at this machine."""
    return Machine(
        at=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        sqlite=apsw.sqlite_lib_version(),
        holdfast=holdfast.__version__,
        fsync_ms=_fsync_ms(),
        load=round(os.getloadavg()[0], 2),
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _fsync_ms() -> float:
    """Return the median of appending 4 KiB durably, in the folder that the stores go to."""
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(took), 3)
