"""`send`: batches, counts, line numbers, patience, and where to go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Canned, Run

ROUTE = "POST /v1/flows/leads/messages/batch"


def results(*kinds: str) -> bytes:
    """Return one result line per word: new, known, or the detail of a problem."""
    lines: list[dict[str, object]] = []
    for number, kind in enumerate(kinds, 1):
        if kind in {"new", "known"}:
            taken = {"message_id": f"msg_{number}", "duplicate": kind == "known"}
            lines.append({"line": number, "status": 202, **taken})
        else:
            problem = {"status": 422, "detail": kind, "field": "value", "allowed": "at least 0"}
            lines.append({"line": number, "status": 422, "problem": problem})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def file(folder: Path, *lines: str) -> str:
    """Write a file and return its path."""
    path = folder / "leads.ndjson"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_the_summary_counts_each_fate(canned: Canned, run: Run, tmp_path: Path) -> None:
    """Accepted, duplicates and refused are counted; refusals name line of the file and reason."""
    canned.on(ROUTE, results("new", "known", "too small"))
    path = file(tmp_path, '{"payload":{}}', "", '{"payload":{"a":1}}', "nonsense")
    code, out, err = run("send", path, "--flow", "leads", "--url", canned.url)
    assert (code, out) == (1, "1 accepted, 1 duplicates, 1 refused\n")
    assert err == "line 4: value: too small; allowed: at least 0\n"
    assert canned.asked[0][3].count(b"\n") == 3


def test_all_good_is_exit_code_0(canned: Canned, run: Run, tmp_path: Path) -> None:
    """Nothing refused is exit code 0, and the content type is NDJSON."""
    canned.on(ROUTE, results("new"))
    code, out, _ = run("send", file(tmp_path, "{}"), "--flow", "leads", "--url", canned.url)
    assert (code, out) == (0, "1 accepted, 0 duplicates, 0 refused\n")
    assert canned.headers[0]["content-type"] == "application/x-ndjson"


def test_batches_have_500_lines(canned: Canned, run: Run, tmp_path: Path) -> None:
    """A long file goes over in batches, each with its own commit."""
    for size in (500, 500, 201):
        canned.on(ROUTE, results(*["new"] * size))
    path = file(tmp_path, *(f'{{"payload":{{"n":{n}}}}}' for n in range(1201)))
    out = run("send", path, "--flow", "leads", "--url", canned.url)[1]
    assert out == "1,201 accepted, 0 duplicates, 0 refused\n"
    assert [body.count(b"\n") for *_, body in canned.asked] == [500, 500, 201]


def test_patience_when_the_api_asks_for_it(canned: Canned, run: Run, tmp_path: Path) -> None:
    """503 with Retry-After means that nothing was taken: the same batch comes again."""
    canned.on(ROUTE, {"status": 503}, 503, {"Retry-After": "0.01"})
    canned.on(ROUTE, {"status": 429}, 429, {"Retry-After": "0.01"})
    canned.on(ROUTE, results("new"))
    code, out, _ = run("send", file(tmp_path, "{}"), "--flow", "leads", "--url", canned.url)
    assert (code, out) == (0, "1 accepted, 0 duplicates, 0 refused\n")
    assert len({body for *_, body in canned.asked}) == 1


def test_a_refused_batch_says_where_to_go_on(canned: Canned, run: Run, tmp_path: Path) -> None:
    """When the API refuses the whole batch, what was done and the next line are told."""
    canned.on(ROUTE, results(*["new"] * 500))
    canned.refuse(ROUTE, 507, detail="no space is left")
    path = file(tmp_path, *["{}"] * 600)
    code, _, err = run("send", path, "--flow", "leads", "--url", canned.url)
    assert code == 1
    assert "no space is left" in err
    assert "500 accepted" in err
    assert "--from-line 501" in err


def test_from_line_passes_over_what_was_sent(canned: Canned, run: Run, tmp_path: Path) -> None:
    """--from-line starts there and keeps the file's line numbers."""
    canned.on(ROUTE, results("wrong"))
    path = file(tmp_path, '{"n":1}', '{"n":2}', '{"n":3}')
    _, _, err = run("send", path, "--flow", "leads", "--from-line", "3", "--url", canned.url)
    assert canned.asked[0][3] == b'{"n":3}\n'
    assert err.startswith("line 3: ")


def test_an_endless_line_does_not_fill_the_memory(canned: Canned, run: Run, tmp_path: Path) -> None:
    """A line that cannot be a message is refused here; the next one is sent."""
    canned.on(ROUTE, results("new"))
    path = file(tmp_path, "x" * 5_000_000, "{}")
    code, out, err = run("send", path, "--flow", "leads", "--url", canned.url)
    assert (code, out) == (1, "1 accepted, 0 duplicates, 1 refused\n")
    assert err.startswith("line 1: longer than")
    assert canned.asked[0][3] == b"{}\n"


def test_a_missing_file_is_a_usage_error(canned: Canned, run: Run) -> None:
    """A file that cannot be read is exit code 2 and asks nothing of the API."""
    code, _, err = run("send", "/nowhere/x.ndjson", "--flow", "leads", "--url", canned.url)
    assert code == 2
    assert "No such file" in err
    assert canned.asked == []


def test_an_unknown_flow_names_the_known(canned: Canned, run: Run, tmp_path: Path) -> None:
    """The API's 404 with the known flows is shown."""
    canned.refuse("POST /v1/flows/x/messages/batch", 404, detail="no flow 'x'", known=["leads"])
    code, _, err = run("send", file(tmp_path, "{}"), "--flow", "x", "--url", canned.url)
    assert code == 1
    assert "known: leads" in err


def test_a_wrong_server_is_noticed(canned: Canned, run: Run, tmp_path: Path) -> None:
    """Another number of results than lines is an error, not a silent loss."""
    canned.on(ROUTE, results("new"))
    code, _, err = run("send", file(tmp_path, "{}", "{}"), "--flow", "leads", "--url", canned.url)
    assert code == 1
    assert "1 results came back for 2 lines" in err


def test_a_batch_that_is_too_large_goes_in_parts(canned: Canned, run: Run, tmp_path: Path) -> None:
    """In order; what is too large by itself ends it, with the line to go on from."""
    canned.on(ROUTE, {"status": 413, "detail": "at most 2 in one batch"}, 413)
    canned.on(ROUTE, results("new", "new"))
    canned.on(ROUTE, {"status": 413, "detail": "at most 2 in one batch"}, 413)
    canned.on(ROUTE, results("new"))
    canned.on(ROUTE, {"status": 413, "detail": "too large"}, 413)
    path = file(tmp_path, *(f'{{"payload":{{"n":{n}}}}}' for n in range(4)))
    code, _, err = run("send", path, "--flow", "leads", "--url", canned.url)
    assert code == 1
    assert "3 accepted, 0 duplicates, 0 refused; stopped at line 4" in err
    assert [body.count(b"\n") for *_, body in canned.asked] == [4, 2, 2, 1, 1]


def later(*statuses: int) -> bytes:
    """Return result lines of a batch of which only a part was taken (202)."""
    taken, no = {"message_id": "msg_1", "duplicate": False}, {"title": "not now"}
    return b"".join(
        json.dumps(
            {"line": number, "status": status}
            | (taken if status == 202 else {"problem": no | {"status": status}})
        ).encode()
        + b"\n"
        for number, status in enumerate(statuses, 1)
    )


def test_lines_that_are_not_taken_now_come_again(canned: Canned, run: Run, tmp_path: Path) -> None:
    """A part of a batch may have to wait: that is no refusal, and what was taken stays away."""
    canned.on(ROUTE, later(202, 429, 422, 503), 200, {"Retry-After": "0.01"})
    canned.on(ROUTE, later(202, 202))
    path = file(tmp_path, *(f'{{"payload":{{"n":{n}}}}}' for n in range(4)))
    code, out, err = run("send", path, "--flow", "leads", "--url", canned.url)
    assert (code, out) == (1, "3 accepted, 0 duplicates, 1 refused\n")
    assert err == "line 3: not now\n"
    assert canned.asked[1][3] == b'{"payload":{"n":1}}\n{"payload":{"n":3}}\n'


def test_a_disk_that_fills_up_within_a_batch_loses_no_line(
    canned: Canned, run: Run, tmp_path: Path
) -> None:
    """It goes on with the first line that was not taken, not with the one after the batch."""
    canned.on(ROUTE, later(202, 422, 507, 507))
    path = file(tmp_path, *["{}"] * 4)
    code, _, err = run("send", path, "--flow", "leads", "--url", canned.url)
    assert code == 1
    assert "line 2: not now" in err
    assert "1 accepted, 0 duplicates, 1 refused; stopped at line 3" in err
    assert "--from-line 3" in err
