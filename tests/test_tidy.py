"""Style is executable: the numbers of STYLE.md, held by a test that only ratchets down.

`EXCEPTIONS` names what is over a limit, with the exact number and the reason. A test fails when
the number grows, and when it shrinks or is gone: then lower or remove the entry.
"""

import ast
import functools
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
FUNCTION_LINES: Final = 60
FUNCTION_LINES_P90: Final = 25
MODULE_LINES: Final = 500
POSITIONAL: Final = 5
PAUSE_SECONDS: Final = 0.1
"""A test may yield for this long while it polls a real process; a backoff is longer."""

EXCEPTIONS: Final[dict[str, tuple[int, str]]] = {}
"""`path::name` -> (the exact number, why it is over its limit)."""

_BANNED_NAMES: Final = frozenset({"utils", "util", "helpers", "helper", "common", "core", "misc"})
_MARKERS: Final = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
_MACHINE: Final = re.compile(
    "|".join(
        (
            r"(?<![\w.-])/wo" + r"rk/",
            r"/tm" + r"p/bash",
            r"(?<![\w.-])/ro" + r"ot/",
            r"/ho" + r"me/\w+/",
            r"py" + r"pi\.org",
            r"python" + r"hosted\.org",
            r"index-ur" + r"l[= ]https?:",
        )
    )
)
_SKIPS: Final = frozenset({"skip", "skipif", "skipUnless", "xfail", "importorskip"})
_TEXT: Final = frozenset(
    {".py", ".md", ".toml", ".sql", ".txt", ".in", ".json", ".yml", ".yaml", ".css", ".html", ""}
)


class Function(NamedTuple):
    """One function: where it is, how long, how many positional parameters."""

    place: str
    lines: int
    positional: int


def _ignored() -> frozenset[str]:
    """Return the folder names that git ignores."""
    lines = (ROOT / ".gitignore").read_text().splitlines()
    return frozenset(line.strip("/") for line in lines if line.endswith("/")) | {".git"}


@functools.cache
def _files() -> tuple[Path, ...]:
    """Return the text files of the project."""
    ignored = _ignored()
    found = []
    for path in sorted(ROOT.rglob("*")):
        inner = path.relative_to(ROOT)
        known = not ignored.intersection(inner.parts) and inner.parts[:2] != ("benchmarks", "out")
        if known and path.is_file() and path.suffix in _TEXT:
            found.append(path)
    return tuple(found)


@functools.cache
def _tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text())


def _modules(*folders: str) -> tuple[tuple[str, ast.Module], ...]:
    """Return (path, syntax tree) of the Python files in the folders."""
    return tuple(
        (str(inner), _tree(path))
        for path in _files()
        if (inner := path.relative_to(ROOT)).parts[0] in folders and path.suffix == ".py"
    )


@functools.cache
def _functions(*folders: str) -> tuple[Function, ...]:
    """Return the functions of the folders."""
    return tuple(
        Function(f"{path}::{owner}{node.name}", _length(node), _positional(node))
        for path, tree in _modules(*folders)
        for owner, node in _defined(tree, "")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _defined(node: ast.AST, owner: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield every class and function below `node` with the dotted name of its owner."""
    for child in ast.iter_child_nodes(node):
        inner = owner
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield owner, child
            inner = f"{owner}{child.name}."
        yield from _defined(child, inner)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines from `def` to the end, without the function's own docstring."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def _positional(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if any("fixture" in ast.unparse(one) for one in node.decorator_list):
        return 0  # pytest gives a fixture its arguments by name
    if node.name.startswith("test_"):
        return 0  # and a test, too
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _held(measured: dict[str, int], prefix: str) -> None:
    """Compare what is over a limit with the exceptions that name it."""
    excused = {
        place.removeprefix(prefix): number
        for place, (number, _) in EXCEPTIONS.items()
        if place.startswith(prefix)
    }
    assert measured == excused


def test_functions_are_short() -> None:
    """No function is longer than 60 lines, its own docstring not counted."""
    over = {f.place: f.lines for f in _functions("src", "tests") if f.lines > FUNCTION_LINES}
    _held(over, "lines:")


def test_most_functions_fit_the_eye() -> None:
    """Nine of ten functions in src have at most 25 lines."""
    lengths = [function.lines for function in _functions("src")]
    assert statistics.quantiles(lengths, n=10)[-1] <= FUNCTION_LINES_P90


def test_modules_are_short() -> None:
    """No module is longer than 500 lines; then it becomes a folder."""
    over = {
        str(path.relative_to(ROOT)): lines
        for path in _files()
        if path.suffix == ".py" and (lines := len(path.read_text().splitlines())) > MODULE_LINES
    }
    _held(over, "module:")


def test_few_positional_parameters() -> None:
    """No function takes more than five positional parameters; the rest is keyword-only."""
    over = {f.place: f.positional for f in _functions("src", "tests") if f.positional > POSITIONAL}
    _held(over, "positional:")


def test_public_names_are_documented() -> None:
    """Every module and every public class, function and method in src has a docstring."""
    bare = []
    for path, tree in _modules("src"):
        if not ast.get_docstring(tree):
            bare.append(path)
        bare += [f"{path}::{name}" for name in _bare(tree)]
    assert bare == []


def _bare(node: ast.Module | ast.ClassDef, owner: str = "") -> Iterator[str]:
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_"):
            continue
        if not ast.get_docstring(child):
            yield owner + child.name
        if isinstance(child, ast.ClassDef):
            yield from _bare(child, f"{owner}{child.name}.")


def test_tests_state_their_claims() -> None:
    """Every test module and every test has a docstring: the claim that it proves."""
    bare = []
    for path, tree in _modules("tests"):
        if not ast.get_docstring(tree):
            bare.append(path)
        for owner, node in _defined(tree, ""):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("test") and not ast.get_docstring(node):
                bare.append(f"{path}::{owner}{node.name}")
    assert bare == []


def test_no_leftover_markers() -> None:
    """Nothing is left to do in a comment: an issue or nothing."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if _MARKERS.search(line)
    ]
    assert found == []


def test_modules_have_telling_names() -> None:
    """No module or folder is a drawer for everything."""
    found = [
        path
        for path, _ in _modules("src", "tests", "benchmarks", "examples")
        if _BANNED_NAMES.intersection(Path(path).with_suffix("").parts)
    ]
    assert found == []


def test_no_test_is_skipped() -> None:
    """A test runs or does not exist: no skip, no expected failure."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in _modules("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in _SKIPS
        and isinstance(node.value, ast.Name | ast.Attribute)
        and ast.unparse(node.value).startswith(("pytest", "unittest"))
    ]
    assert found == []


def test_no_test_waits_for_a_backoff() -> None:
    """Tests pass time with a virtual clock; a poll of a real process pauses 0.1 s at most."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in _modules("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"time.sleep", "asyncio.sleep", "sleep"}
        and not _pause(node, tree)
    ]
    assert found == []


def _pause(call: ast.Call, tree: ast.Module) -> bool:
    """Tell whether a sleep is a short one: a small number, or a constant that is one."""
    given = ast.unparse(call.args[0]) if call.args else ""
    named = {
        ast.unparse(target): ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    try:
        return float(named.get(given, given)) <= PAUSE_SECONDS
    except ValueError:
        return False


def test_no_machine_leaks_into_the_project() -> None:
    """No file names a path of the machine it was written on, or a registry host."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if _MACHINE.search(line)
    ]
    assert found == []


def test_lock_files_are_hashed() -> None:
    """Every locked requirement is pinned and carries hashes; no lock file names a host."""
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text()
        assert "://" not in text, path.name
        entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
        loose = [
            entry.splitlines()[0]
            for entry in entries
            if not re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S", entry)
            or "--hash=sha256:" not in entry
        ]
        assert (path.name, loose) == (path.name, [])


def test_the_rules_can_tell() -> None:
    """The checks see what they look for: a long function, a bare name, a marker, a path."""
    body = "\n".join(f"    x{n} = {n}" for n in range(FUNCTION_LINES))
    tree = ast.parse(f'def long(a, b, c, d, e, f):\n    """Doc."""\n{body}\n\ndef bare(): ...\n')
    node = tree.body[0]
    assert isinstance(node, ast.FunctionDef)
    assert (_length(node), _positional(node)) == (FUNCTION_LINES + 1, POSITIONAL + 1)
    assert list(_bare(tree)) == ["bare"]
    assert _MARKERS.search("# TO" + "DO: later")
    assert _MACHINE.search("see /wo" + "rk/main")
    waits = ast.parse("LONG = 2.0\nsleep(LONG)\nsleep(1)\nsleep(0.05)\nsleep(backoff())")
    calls = [node for node in ast.walk(waits) if isinstance(node, ast.Call)]
    assert [_pause(call, waits) for call in calls[:4]] == [False, False, True, False]
