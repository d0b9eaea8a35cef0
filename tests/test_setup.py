"""One command sets up, one checks, and the package that is built holds all that it needs."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from holdfast import __version__

ROOT: Final = Path(__file__).parents[1]
MAKEFILE: Final = (ROOT / "Makefile").read_text()


def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    """Return the names of requirements."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in requirements)
    return {match[0].lower().replace("_", "-") for match in found if match}


def test_make_help_lists_every_target() -> None:
    """Every target of the Makefile says in one line what it does."""
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    explained = set(re.findall(r"^([a-z]+):.*## \S", MAKEFILE, re.MULTILINE))
    assert targets == explained
    assert targets >= {"run", "check", "test", "docs", "format", "clean"}


def test_ci_runs_what_a_person_runs() -> None:
    """CI has no command of its own."""
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_documented_commands_are_targets() -> None:
    """The README's and the contributors' `make` lines are targets."""
    for name in ("README.md", "CONTRIBUTING.md"):
        asked = set(re.findall(r"^make ([a-z]+)", (ROOT / name).read_text(), re.MULTILINE))
        assert asked, name
        assert asked <= set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE)), name


def test_requirement_files_match_the_project() -> None:
    """What the package needs is what `make run` installs, locked."""
    wanted = names(project()["project"]["dependencies"])
    listed = names((ROOT / "requirements" / "run.in").read_text().splitlines())
    locked = names((ROOT / "requirements" / "run.txt").read_text().splitlines())
    assert wanted == listed
    assert wanted <= locked
    tools = names(project()["dependency-groups"]["dev"])
    assert tools <= names((ROOT / "requirements" / "dev.txt").read_text().splitlines()) | names(
        (ROOT / "requirements" / "build.txt").read_text().splitlines()
    )


def test_nothing_retries_below_the_lane() -> None:
    """No retry library is among the dependencies (promise 4)."""
    locked = names((ROOT / "requirements" / "run.txt").read_text().splitlines())
    assert locked.isdisjoint({"tenacity", "stamina", "backoff", "retry", "retrying", "urllib3"})


def test_the_command_is_installed() -> None:
    """`holdfast version` runs from the environment and says this version."""
    command = Path(sys.executable).with_name("holdfast")
    told = subprocess.run([command, "version"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"holdfast {__version__},")


@pytest.mark.slow
def test_the_wheel_is_complete(tmp_path: Path) -> None:
    """The wheel has every module, query, migration and data file, and no test."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    source = ROOT / "src"
    wanted = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= packed
    assert any(name.endswith(".sql") for name in packed)
    assert not [name for name in packed if name.startswith(("tests/", "docs/", "examples/"))]
