"""`holdfast users` and `holdfast tokens`."""

import io

import pytest
from tests.cli.conftest import Canned, Run


def test_a_user_is_made(canned: Canned, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the password from stdin, which is in no argument list."""
    canned.on("POST /v1/users", {"name": "ada"})
    monkeypatch.setattr("sys.stdin", io.StringIO("long and strange\n"))
    code, out, _ = run(
        *("users", "add", "ada", "--role", "auditor", "--account", "acme"),
        *("--reason", "joins", "--password-stdin", "--url", canned.url),
    )
    assert (code, out) == (0, "ada may sign in as auditor\n")
    assert canned.body() == {
        "name": "ada",
        "role": "auditor",
        "account": "acme",
        "reason": "joins",
        "password": "long and strange",
    }


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (("users", "disable", "ada"), "users/ada/disable", {}),
        (("users", "enable", "ada"), "users/ada/enable", {}),
        (("users", "role", "ada", "viewer"), "users/ada/role", {"role": "viewer"}),
        (("tokens", "revoke", "tok_1"), "tokens/tok_1/revoke", {}),
    ],
)
def test_changes(
    canned: Canned, run: Run, words: tuple[str, ...], path: str, body: dict[str, str]
) -> None:
    """Each asks the API, with the reason."""
    canned.on(f"POST /v1/{path}", {})
    code, _, err = run(*words, "--reason", "why", "--url", canned.url)
    assert code == 0, err
    assert canned.body() == {**body, "reason": "why"}


def test_a_token_goes_to_stdout_alone(canned: Canned, run: Run) -> None:
    """So that a script can take it; the advice goes to stderr."""
    canned.on("POST /v1/tokens", {"id": "tok_1", "secret": "hft_s3cret"})
    code, out, err = run(
        *("tokens", "add", "shop", "--role", "operator", "--only", "send", "--days", "30"),
        *("--reason", "orders", "--url", canned.url),
    )
    assert (code, out) == (0, "hft_s3cret\n")
    assert "shown this once" in err
    assert canned.body()["only"] == ["send"]
    assert canned.body()["days"] == 30


def test_lists_are_tables(canned: Canned, run: Run) -> None:
    """One line each, under the names of the fields; --json is the API's."""
    item = {"name": "ada", "role": "viewer", "account": None, "disabled": True}
    canned.on("GET /v1/users", {"items": [item]})
    _, out, _ = run("users", "ls", "--url", canned.url)
    assert out.splitlines() == ["name  role    account  disabled", "ada   viewer  -        yes"]
    canned.on("GET /v1/tokens", {"items": []})
    _, out, _ = run("tokens", "ls", "--json", "--url", canned.url)
    assert out == '{"items": []}\n'
