"""How many cores this process may use: of the machine, its affinity, and its container's quota."""

import os
from collections.abc import Iterator
from pathlib import Path


def cores(root: Path = Path("/")) -> float:
    """Return cores with fractions, at least a little of one; `root` holds `proc` and `sys`.

    Containers are limited by the CFS quota of cgroup v2 (`cpu.max`) or v1 (`cpu.cfs_quota_us`);
    the tightest of a group and those above it holds.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    here = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    return max(0.1, min([here, *_quotas(root)]))


def _quotas(root: Path) -> Iterator[float]:
    base = root / "sys" / "fs" / "cgroup"
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            yield from _found(base, path, "v2")
        elif "cpu" in controllers.split(","):
            yield from _found(base / "cpu", path, "v1")
            yield from _found(base / controllers, path, "v1")


def _found(base: Path, path: str, version: str) -> Iterator[float]:
    """Yield the quotas of a group and those above it; in a container the base is its own group."""
    inner = Path(path.lstrip("/"))
    for folder in (base, *(base / part for part in (inner, *inner.parents))):
        if version == "v2":
            words = _read(folder / "cpu.max").split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            words = [_read(folder / name).strip() for name in names]
        match words:
            case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
                yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
