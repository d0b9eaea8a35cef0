"""Starts the benchmark's processes, speaks with them and ends them."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil
from load import peak_memory

HERE = Path(__file__).parent
PATIENCE_S = 600.0
"""A program that says nothing for so long has failed."""
HOLDFAST = ("-c", "from holdfast.cli import main; main()")


class Program:
    """A child process that writes lines to stdout.

    Args:
        arguments: of the Python interpreter.
    """

    def __init__(self, *arguments: object) -> None:
        self.started = time.monotonic_ns()
        self._process = subprocess.Popen(
            [sys.executable, *(str(argument) for argument in arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=HERE.parent,
        )
        self._name = " ".join(str(argument) for argument in arguments[:2])

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def line(self) -> str:
        """Return the next line of its output."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            raise RuntimeError(f"{self._name} {'ended' if ready else 'says nothing'}")
        return line.decode()

    def read(self) -> dict[str, Any]:
        """Return the next line, which is a JSON object."""
        found: dict[str, Any] = msgspec.json.decode(self.line())
        return found

    def tell(self, *words: object) -> None:
        """Write a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(str(word) for word in words).encode() + b"\n")

    def ask(self, *words: object) -> dict[str, Any]:
        """Write a line and return the answer."""
        self.tell(*words)
        return self.read()

    def cpu(self) -> float:
        """Return the CPU seconds that it used so far."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Return the most bytes that it had in memory so far."""
        return peak_memory(self.pid)

    def close(self) -> None:
        """End it: SIGTERM, and what it ignores is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        """Give it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()


@contextmanager
def talker(module: str, *arguments: object) -> Iterator[tuple[Program, dict[str, Any]]]:
    """Run `MODULE.py` of this folder and give it with its first line."""
    with Program(HERE / f"{module}.py", *arguments) as program:
        yield program, program.read()


@contextmanager
def sink(*options: str) -> Iterator[tuple[Program, int]]:
    """Run a partner and give it with its port."""
    with talker("sink", *options) as (program, hello):
        yield program, hello["port"]


@contextmanager
def up(config: Path) -> Iterator[tuple[Program, str]]:
    """Run `holdfast up` and give it with the address of its API."""
    with Program(*HOLDFAST, "up", "--config", config) as program:
        url = program.line().strip()
        program.line()
        yield program, url


def fill(config: Path, flows: dict[str, int], *, opened: str | None = None) -> int:
    """Put pending deliveries into a store that nobody runs; return how many."""
    pairs = [f"{flow}={count}" for flow, count in flows.items()]
    options = [] if opened is None else ["--open", opened]
    with talker("fill", config, *pairs, *options) as (_, said):
        count: int = said["count"]
    return count


def until(what: str, true: Callable[[], bool]) -> None:
    """Wait until something is true.

    Raises:
        RuntimeError: it does not become true in time.
    """
    end = time.monotonic() + PATIENCE_S / 5
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"waited too long until {what}")
        time.sleep(0.02)


@contextmanager
def metered(count: int, *programs: Program) -> Iterator[dict[str, float]]:
    """Give a dict that has, after the block, the programs' CPU microseconds per thing."""
    before = sum(program.cpu() for program in programs)
    found: dict[str, float] = {}
    yield found
    spent = sum(program.cpu() for program in programs) - before
    found["cpu_us_all"] = round(spent / count * 1e6, 1)


def load_average() -> float:
    """Return how many processes want a core, averaged over a minute."""
    return round(os.getloadavg()[0], 2)
