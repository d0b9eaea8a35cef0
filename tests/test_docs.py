"""The documentation is held to the code: nothing undocumented, nothing made up, no dead link."""

import ast
import functools
import importlib
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import typer

from holdfast import config
from holdfast.api import wire
from holdfast.api.door import HANDLERS
from holdfast.api.schema import openapi
from holdfast.cli import app
from holdfast.engine.exposition import Exposition
from holdfast.engine.sampler import QueueSample, Sample, SystemSample
from holdfast.model.attempt import (
    ErrorDetails,
    FailureClass,
    Jitter,
    Network,
    SuccessIndicators,
    Trigger,
)
from holdfast.policy.decide import Code, Gate
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.powerloss import Disk
from holdfast.testing.rig import Rig, catalog, recipient, running

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
REFERENCE: Final = DOCS / "reference"
PAGES: Final = tuple(
    sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "changes" / "README.md"])
)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK: Final = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_COPY: Final = re.compile(r"<!-- (examples/\S+) -->\n\n```\w+\n(.*?)```", re.DOTALL)
_ROW: Final = re.compile(r"^\| ([SCG][\d.]+) \| (.+?) \| `([^`:]+)::([^`]+)` \|$")


def name_of(path: Path) -> str:
    """Return a page's path as people write it."""
    return str(path.relative_to(ROOT))


def page(name: str) -> str:
    """Return a reference page."""
    return (REFERENCE / name).read_text()


def quoted(text: str) -> set[str]:
    """Return everything in `code`."""
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.fixture(scope="module")
def generator() -> Iterator[Any]:
    """Give the module that writes the generated pages."""
    sys.path.insert(0, str(DOCS))
    try:
        yield importlib.import_module("generate")
    finally:
        sys.path.remove(str(DOCS))


def test_generated_pages_are_current(generator: Any) -> None:
    """The generated pages are what `make docs` would write now."""
    stale = [name for name, write in generator.PAGES.items() if page(name) != write()]
    assert stale == []


def test_openapi_is_current() -> None:
    """The OpenAPI file is what the routes say now."""
    assert (DOCS / "openapi.json").read_bytes() == openapi(HANDLERS)


def commands(command: Any, name: str = "holdfast") -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for key, inner in command.commands.items():
        yield from commands(inner, f"{name} {key}")


@functools.cache
def command_line() -> dict[str, Any]:
    """Return full name -> command."""
    return dict(commands(typer.main.get_command(app)))


def test_every_command_and_option_is_explained() -> None:
    """Each command and each of its options says what it does, in --help and on the page."""
    text = page("cli.md")
    bare = []
    for name, command in command_line().items():
        if not command.help or f"## {name}\n" not in text:
            bare.append(name)
        bare += [
            f"{name} {parameter.name}"
            for parameter in command.params
            if not getattr(parameter, "help", None)
            or not quoted(text) & {parameter.name, *parameter.opts}
        ]
    assert bare == []


def test_every_route_is_explained() -> None:
    """Each route has its section on the page, with a sentence."""
    text = page("http.md")
    described = msgspec.json.decode(openapi(HANDLERS))
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"]
            assert f"## {method.upper()} {path}\n" in text


def test_every_configuration_key_is_explained() -> None:
    """Each key of the configuration's JSON schema stands on its page."""
    known = quoted(page("configuration.md")) | quoted(page("policy.md"))
    titles = page("configuration.md") + page("policy.md")
    schema = config.schema()
    missing = [
        f"{place}.{key}"
        for place, inner in {"": schema, **schema["$defs"]}.items()
        for key in inner.get("properties", ())
        if key not in known and f"[{key}" not in titles
    ]
    assert missing == []


def test_every_metric_is_explained() -> None:
    """The page has exactly the metrics that a running engine exposes."""
    clock = VirtualClock()
    rig = Rig(catalog(recipient()), clock=clock, disk=Disk("docs"))

    async def shown() -> set[str]:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            text = Exposition(rig.engine).text()
        return set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))

    told = {name for name in quoted(page("metrics.md")) if name.startswith("holdfast_")}
    assert told == run(shown(), clock)


@pytest.mark.parametrize("kind", [Code, Gate, FailureClass, Trigger])
def test_every_code_is_explained(kind: Any) -> None:
    """Each code, gate, failure class and trigger stands on the page of codes."""
    assert {str(member) for member in kind} <= quoted(page("codes.md"))


def test_every_error_code_has_a_meaning() -> None:
    """No row of the error page is without a meaning."""
    rows = [line.split("|") for line in page("errors.md").splitlines() if line.startswith("| `")]
    assert rows
    assert [row[1] for row in rows if not row[3].strip()] == []


@pytest.mark.parametrize(
    "kind",
    [
        wire.EventView,
        wire.NextActionView,
        wire.PartnerView,
        ErrorDetails,
        SuccessIndicators,
        Jitter,
        Network,
        Sample,
        SystemSample,
        QueueSample,
    ],
)
def test_every_event_field_is_explained(kind: type[msgspec.Struct]) -> None:
    """Each field of a retry event, also the nested ones, stands on the page of events."""
    assert set(kind.__struct_encode_fields__) <= quoted(page("events.md"))


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield (file, anchor) of the internal links of a page."""
    for target in _LINK.findall(path.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        yield (path.parent / file).resolve() if file else path, anchor


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_internal_links_resolve() -> None:
    """Every link to a file or a heading of this project leads somewhere."""
    dead = [
        f"{name_of(path)}: {target.name}#{anchor}"
        for path in PAGES
        for target, anchor in links(path)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert dead == []


def test_every_page_can_be_found() -> None:
    """From the README a reader reaches every page by links."""
    seen: set[Path] = set()
    queue = [ROOT / "README.md"]
    while queue:
        path = queue.pop()
        if path in seen or path.suffix != ".md" or not path.exists():
            continue
        seen.add(path)
        queue += [target for target, _ in links(path)]
    assert [name_of(path) for path in PAGES if path not in seen] == []


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield (page, text) of the code blocks in a language."""
    for path in PAGES:
        for indent, kind, text in _BLOCK.findall(path.read_text()):
            if kind == language:
                yield name_of(path), re.sub(f"^{indent}", "", text, flags=re.MULTILINE)


def test_copies_are_copies() -> None:
    """Code in a page that names a file in examples/ is that file."""
    found = [
        (name_of(path), file, text)
        for path in PAGES
        for file, text in _COPY.findall(path.read_text())
    ]
    assert ("README.md", "examples/send_one.py") in {(at, file) for at, file, _ in found}
    assert [(at, file) for at, file, text in found if (ROOT / file).read_text() != text] == []


@pytest.mark.parametrize(("at", "text"), list(blocks("toml")))
def test_configuration_snippets_load(at: str, text: str, tmp_path: Path) -> None:
    """Every piece of configuration in a page is accepted, completed by a URL and a step."""
    raw = tomllib.loads(text)
    for table in raw.get("recipients", {}).values():
        if "endpoints" not in table:
            table.setdefault("url", "https://partner.example/leads")
    raw.setdefault("recipients", {"partner": {"url": "https://partner.example/leads"}})
    first = next(iter(raw["recipients"]))
    for table in raw.get("flows", {}).values():
        table.setdefault("steps", [{"name": "only", "recipient": first}])
    environ: Mapping[str, str] = {"HOLDFAST_DATA": str(tmp_path)}
    assert config.load(None, environ, raw).catalog.recipients, at


def test_shell_snippets_name_what_exists() -> None:
    """Every `holdfast`, `make` and `python examples/` line uses real commands and options."""
    wrong = []
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for at, text in blocks("sh"):
        for line in re.split(r"\n|\| |&& ", text.replace("\\\n", "")):
            words = line.split(" #")[0].split()
            words = words[next((i for i, w in enumerate(words) if "=" not in w), 0) :]
            if not _exists(words, targets):
                wrong.append((at, line))
    assert wrong == []


def _exists(words: list[str], targets: set[str]) -> bool:
    match words:
        case ["make", target, *_]:
            return target in targets
        case ["python", "-m", module, *_]:
            return importlib.util.find_spec(module) is not None
        case ["python", file, *_]:
            return (ROOT / file).is_file()
        case ["holdfast", first, *rest]:
            known = command_line()
            name = f"holdfast {first}"
            if name not in known and rest:
                name = f"{name} {rest[0]}"
            options = {
                option
                for parameter in (known[name].params if name in known else ())
                for option in (*parameter.opts, *parameter.secondary_opts)
            }
            return name in known and all(w in options for w in words if re.match("--?[a-z]", w))
        case _:
            return True


def coverage() -> list[tuple[str, str, str, str]]:
    """Return the rows of the coverage table: id, what, file, test."""
    lines = (DOCS / "coverage.md").read_text().splitlines()
    return [match.groups() for line in lines if (match := _ROW.match(line))]  # type: ignore[misc]


@functools.cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of the tests in a file, those of classes as `Class::test`."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if hasattr(one, "name")}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return frozenset(found)


def test_coverage_names_real_tests() -> None:
    """Every row of the coverage table names a test that exists; no id stands there twice."""
    rows = coverage()
    assert len(rows) > 50
    missing = [
        (identity, f"{file}::{test}")
        for identity, _, file, test in rows
        if not (ROOT / file).is_file() or test not in names_in(file)
    ]
    assert missing == []
    lines = (DOCS / "coverage.md").read_text().splitlines()
    assert sum(line.startswith(("| S", "| C", "| G")) for line in lines) == len(rows)
    ids = [identity for identity, *_ in rows]
    assert sorted({one for one in ids if ids.count(one) > 1}) == []


def test_readme_is_short() -> None:
    """The README has at most 150 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
