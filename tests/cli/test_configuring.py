"""`holdfast config`: what is asked of the API, and what is printed."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from tests.cli.conftest import Canned, Run

PLACE: Final = "/v1/configurations"
VERSION: Final[dict[str, Any]] = {
    "number": 2,
    "stage": "proposed",
    "author": "ada",
    "at": None,
    "approver": None,
    "effective_at": None,
    "loaded_at": None,
    "reason": "a new partner",
}
CHANGES: Final = [
    {"place": "log", "before": None, "after": {"level": "info"}},
    {"place": "engine.max_in_flight", "before": 64, "after": 65},
    {"place": "data", "before": "there", "after": None},
]
SHOWN: Final = {
    "version": VERSION,
    "text": '[server]\ntoken = "***0123\x1b"\n',
    "against": 1,
    "changes": CHANGES,
    "more": 0,
}
LINES: Final = [
    '+ log = {"level":"info"}',
    "~ engine.max_in_flight = 64 -> 65",
    '- data = "there"',
]


def test_a_list_is_a_table(canned: Canned, run: Run) -> None:
    """One line each, newest first; --json is the API's."""
    canned.on(f"GET {PLACE}", {"items": [VERSION], "next_cursor": None})
    code, out, _ = run("config", "ls", "--limit", "5", "--url", canned.url)
    assert code == 0
    head, line = out.splitlines()
    assert head.split() == [
        *("number", "stage", "author", "at", "approver", "effective_at", "loaded_at", "reason"),
    ]
    assert line.split() == ["2", "proposed", "ada", *"----", "a", "new", "partner"]
    assert canned.asked[0][2] == {"limit": "5"}
    _, out, _ = run("config", "ls", "--json", "--url", canned.url)
    assert json.loads(out)["items"] == [VERSION]


def test_a_version_is_shown(canned: Canned, run: Run) -> None:
    """As TOML, without anything that a terminal would obey."""
    canned.on(f"GET {PLACE}/2", SHOWN)
    code, out, _ = run("config", "show", "2", "--url", canned.url)
    assert (code, out) == (0, '# version 2, proposed\n[server]\ntoken = "***0123 "\n')


def test_what_it_changes(canned: Canned, run: Run) -> None:
    """A line for each place; how many more there are, or that there is nothing."""
    canned.on(f"GET {PLACE}/2", SHOWN)
    canned.on(f"GET {PLACE}/2", SHOWN | {"more": 3})
    canned.on(f"GET {PLACE}/2", SHOWN | {"changes": []})
    _, out, _ = run("config", "diff", "2", "--against", "0", "--url", canned.url)
    assert out.splitlines() == LINES
    assert canned.asked[0][2] == {"against": "0"}
    _, out, _ = run("config", "diff", "2", "--url", canned.url)
    assert out.splitlines() == [*LINES, "and 3 more"]
    _, out, _ = run("config", "diff", "2", "--url", canned.url)
    assert out == "nothing differs\n"


def test_a_proposal(canned: Canned, run: Run, tmp_path: Path) -> None:
    """The file goes to the API as it is; what it would change is printed."""
    file = tmp_path / "h.toml"
    file.write_text("[log]\nlevel = 'info'  # ü\n")
    canned.on(f"POST {PLACE}", VERSION)
    canned.on(f"GET {PLACE}/2", SHOWN)
    code, out, _ = run("config", "propose", str(file), "-r", "why", "--url", canned.url)
    assert code == 0
    assert canned.body(0) == {"content": file.read_text(), "reason": "why"}
    assert out.splitlines() == [
        *LINES,
        "version 2 waits: holdfast config approve 2, by somebody else",
    ]


@pytest.mark.parametrize("body", [None, b"\xff"])
def test_a_file_that_cannot_be_read(
    canned: Canned, run: Run, tmp_path: Path, body: bytes | None
) -> None:
    """Is named, and the API is not asked."""
    file = tmp_path / "h.toml"
    if body is not None:
        file.write_bytes(body)
    code, _, err = run("config", "propose", str(file), "-r", "why", "--url", canned.url)
    assert code == 2
    assert str(file) in err
    assert canned.asked == []


def test_answers(canned: Canned, run: Run) -> None:
    """With the reason, and from when on."""
    canned.on(f"POST {PLACE}/2/approve", VERSION)
    canned.on(f"POST {PLACE}/2/approve", VERSION | {"effective_at": "2999-01-01T00:00:00.000Z"})
    canned.on(f"POST {PLACE}/2/reject", VERSION)
    _, out, _ = run("config", "approve", "2", "-r", "read it", "--url", canned.url)
    assert out == "version 2 is approved; the next start may load it\n"
    assert canned.body() == {"reason": "read it"}
    at = "2999-01-01T00:00:00Z"
    _, out, _ = run(
        *("config", "approve", "2", "-r", "x", "--effective-at", at, "--url", canned.url)
    )
    assert " from 2999-01-01" in out or " from 2998-12-31" in out
    assert canned.body()["effective_at"] == "2999-01-01T00:00:00.000Z"
    _, out, _ = run("config", "reject", "2", "-r", "no", "--url", canned.url)
    assert (out, canned.body()) == ("version 2 is rejected\n", {"reason": "no"})


def test_self_approval_is_told(canned: Canned, run: Run) -> None:
    """In the words of the API, without advice that would not help."""
    canned.refuse(f"POST {PLACE}/2/approve", 403, code="SELF_APPROVAL", detail="ada proposed it")
    code, _, err = run("config", "approve", "2", "-r", "mine", "--url", canned.url)
    assert code == 1
    assert err == "error: ada proposed it\n"
