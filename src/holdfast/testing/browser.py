"""What tests with a browser need besides its driver: the program, and a Holdfast to look at.

python -m holdfast.testing.browser     installs Chromium where it lacks and that is possible
"""

import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Nothing of a browser that is not needed here: no sandbox (tests run as root), no network."""


def chromium() -> str:
    """Return the browser: `HOLDFAST_CHROMIUM`, or the first of the usual names."""
    named = os.environ.get("HOLDFAST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    assert found is not None, (
        "the browser tests need Chromium: apt-get install chromium, or set HOLDFAST_CHROMIUM "
        "to the program of another one"
    )
    return found


@contextmanager
def demo(data: Path, *options: str, **environ: str) -> Iterator[str]:
    """Run `holdfast demo` and give its address."""
    with _served("demo", "--plain", "--port", "0", "--data", str(data), *options, **environ) as url:
        yield url


@contextmanager
def up(config: Path, port: int = 0) -> Iterator[str]:
    """Run `holdfast up` on a configuration, with its data beside it, and give its address."""
    data = str(config.parent / "data")
    options = ("--config", str(config), "--data", data, "--port", str(port), "--metrics-port", "0")
    with _served("up", *options) as url:
        yield url


@contextmanager
def _served(*arguments: str, **environ: str) -> Iterator[str]:
    command = Path(sys.executable).with_name("holdfast")
    with subprocess.Popen(  # noqa: S603  # our own program
        [command, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "200"} | environ,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("http"), line
            lines = threading.Thread(target=process.stdout.readlines, daemon=True)
            lines.start()  # it must not stop because nobody reads what it says
            yield line.split()[0]
        finally:
            process.terminate()
            process.wait(timeout=30)


def polled(check: Callable[[], Any], times: int = 300) -> Any:
    """Return the first truth that `check` gives, or fail."""
    wait = threading.Event().wait
    for _ in itertools.repeat(None, times):
        if found := check():
            return found
        wait(0.1)
    raise AssertionError("it did not come about within 30 s")


def main() -> int:
    """Find Chromium; on Debian and its kin, as root, install it. Returns the exit code."""
    if os.environ.get("HOLDFAST_CHROMIUM") or any(map(shutil.which, NAMES)):
        return 0
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        sys.stderr.write(
            "The browser tests need Chromium. Install it (Debian: apt-get install chromium), or "
            "set HOLDFAST_CHROMIUM to the program of a Chromium or Chrome that is here.\n"
        )
        return 1
    sys.stderr.write("installing Chromium for the browser tests\n")
    quiet = [apt, "-qq", "-y", "--no-install-recommends"]
    for step in (["update"], ["install", "chromium"]):
        done = subprocess.run([*quiet, *step], check=False)  # noqa: S603  # the system's own
        if done.returncode != 0:
            sys.stderr.write(f"apt-get {step[0]} failed; see its words above\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
