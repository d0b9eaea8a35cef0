"""`holdfast audit ls`, `export` and `verify`; the list has a test with the commands that read."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Canned, Run

from holdfast.cli.auditing import Format, Way

HASH = "ab" * 32


def test_a_sound_journal(canned: Canned, run: Run) -> None:
    """Step by step to the end; the head is printed, to be kept elsewhere."""
    step = {"number": 2, "last": 3, "hash": HASH, "done": False, "events": 1_000}
    canned.on("GET /v1/audit/verify", step)
    canned.on("GET /v1/audit/verify", step | {"number": 3, "done": True, "waiting": 1, "events": 1})
    code, out, _ = run("audit", "verify", "--head", f"2:{HASH}", "--url", canned.url)
    assert code == 0
    assert out.splitlines() == [
        "3 lines and 1,001 retry events, none changed or removed; 1 wait to be linked",
        f"head 3:{HASH}",
    ]
    assert [asked[2].get("after") for asked in canned.asked] == ["0", "2"]
    assert canned.asked[0][2]["head"] == f"2:{HASH}"


def test_a_broken_journal(canned: Canned, run: Run) -> None:
    """The first line that is wrong is named, and the exit code says it."""
    wrong = {"number": 1234, "why": "the line is missing"}
    canned.on("GET /v1/audit/verify", {"number": 1000, "last": 2000, "broken": wrong})
    code, _, err = run("audit", "verify", "--url", canned.url)
    assert code != 0
    assert "the audit journal is broken: line 1,234: the line is missing" in err


def lines(*numbers: int) -> list[dict[str, object]]:
    """Return audit lines, one a minute."""
    return [
        {
            "number": each,
            "at": f"2026-01-31T08:{each:02}:00.000Z",
            "actor": "ann",
            "action": "pause",
            "subject": "acme",
            "reason": f"reason {each}",
        }
        for each in numbers
    ]


def test_the_list_goes_on_page_by_page(canned: Canned, run: Run) -> None:
    """Until the limit is reached, or with --all to the end; filters go along."""
    canned.on("GET /v1/audit", {"items": lines(5, 4), "next_cursor": "4-4"})
    canned.on("GET /v1/audit", {"items": [], "next_cursor": "3-3"})
    canned.on("GET /v1/audit", {"items": lines(2, 1)})
    filters = ("--actor", "ann", "--action", "pause", "--since", "2026-01-31T08:00:00Z")
    code, out, _ = run("audit", "ls", *filters, "--limit", "3", "--url", canned.url)
    assert (code, out.count("ann pause acme: reason ")) == (0, 3)
    assert [asked[2].get("cursor") for asked in canned.asked] == [None, "4-4", "3-3"]
    assert canned.asked[0][2] == {
        "actor": "ann",
        "action": "pause",
        "since": "2026-01-31T08:00:00.000Z",
        "limit": "3",
    }
    code, out, _ = run("audit", "ls", "--all", "--json", "--url", canned.url)
    assert [json.loads(line)["number"] for line in out.splitlines()] == [2, 1]
    assert canned.asked[-1][2]["limit"] == "1000"


def test_an_export_is_written_to_a_file(canned: Canned, run: Run, tmp_path: Path) -> None:
    """As it comes, byte for byte; the file is there when it is whole."""
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines(1, 2, 3))
    canned.on("GET /v1/audit/export", body)
    file = tmp_path / "audit.ndjson"
    span = ("--since", "2026-01-31T00:00:00Z", "--until", "2026-02-01T00:00:00+01:00")
    code, out, _ = run("audit", "export", *span, "--output", str(file), "--url", canned.url)
    assert (code, file.read_bytes()) == (0, body)
    assert out.startswith("3 lines in ")
    assert canned.asked[0][2] == {
        "since": "2026-01-31T00:00:00.000Z",
        "until": "2026-01-31T23:00:00.000Z",
        "format": "ndjson",
    }
    assert [each.name for each in tmp_path.iterdir()] == ["audit.ndjson"]
    code, _, err = run("audit", "export", "--output", str(file), "--url", canned.url)
    assert (code, "exists" in err, file.read_bytes()) == (2, True, body)


def test_an_export_goes_to_stdout(canned: Canned, run: Run) -> None:
    """Without a file, for a pipe."""
    canned.on("GET /v1/audit/export", b'"number","at"\r\n')
    code, out, _ = run("audit", "export", "--format", "csv", "--url", canned.url)
    assert (code, out) == (0, '"number","at"\r\n')
    assert canned.asked[0][2] == {"format": "csv"}


def test_a_refused_export_leaves_no_file(canned: Canned, run: Run, tmp_path: Path) -> None:
    """Neither does one that breaks off: half a file would look whole."""
    canned.refuse("GET /v1/audit/export", 403, detail="t (viewer) may not export_audit")
    file = tmp_path / "audit.csv"
    code, _, err = run("audit", "export", "-o", str(file), "--url", canned.url)
    assert (code, "may not export_audit" in err, list(tmp_path.iterdir())) == (1, True, [])
    short = {"Content-Length": "5000", "Connection": "close"}
    canned.on("GET /v1/audit/export", b"{}\n", headers=short)
    canned.reply("GET", "/v1/audit/export", {}, b"")  # the refusal is said once
    code, _, err = run("audit", "export", "-o", str(file), "--url", canned.url)
    assert (code != 0, "did not answer" in err, list(tmp_path.iterdir())) == (True, True, [])


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("kind", list(Format))
def test_progress_goes_by_time(kind: Format, size: int) -> None:
    """However the file is cut into parts: from the first line's instant to the span's end."""
    found = lines(0, 10, 20)
    head = b'"number","at"\r\n' if kind is Format.CSV else b""
    rows = [
        f'"{line["number"]}","{line["at"]}"\r\n' if kind is Format.CSV else json.dumps(line) + "\n"
        for line in found
    ]
    body = head + "".join(rows).encode()
    way = Way(kind, 1_769_848_800_000)  # 08:40
    for start in range(0, len(body), size):
        way.take(body[start : start + size])
    assert way.lines == 3
    whole = 0 if size == 10_000 else 20
    assert way.done == whole * 60_000


@pytest.mark.parametrize("verb", ["ls", "export", "verify"])
def test_options_before_the_word_are_refused(canned: Canned, run: Run, verb: str) -> None:
    """Nobody would hear of them: another installation would be checked, or all lines written."""
    code, _, err = run("audit", "--url", canned.url, verb)
    assert (code, f"--url: give it after the word {verb}" in err, canned.asked) == (2, True, [])
