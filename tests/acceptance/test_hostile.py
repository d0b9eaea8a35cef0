"""Partners that misbehave, and httpbin: class and decision as the API shows them.

One process has a recipient for each; all messages are posted at once. What one partner does must
not be felt by the others.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
import trustme

from holdfast.testing.partner import (
    Act,
    Close,
    Drip,
    Partner,
    Reset,
    Script,
    Silence,
    answer,
    head,
)
from holdfast.testing.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Holdfast, Launch, Start

pytestmark = pytest.mark.slow

MIB: Final = 1 << 20
GOOD: Final = 40
FLAKY: Final = 60
"""With one refusal in five: none is refused, or one eleven times, in one run of a million."""
RECIPIENT: Final = """
[recipients.{name}]
url = "{url}"
connect_timeout = 1
read_timeout = 1
total_timeout = 2
{settings}
[flows.{name}]
[[flows.{name}.steps]]
recipient = "{name}"
"""
NEAR: Final = "allow_private = true"
GET: Final = 'allow_private = true\nmethod = "GET"'
PASSWORD: Final = GET + '\nauth = {type = "basic", username = "user", password = "%s"}'
STEADY: Final = f"""
{NEAR}
breaker = {{enabled = false}}
policy = {{strategy = "fixed", initial_delay = 1, max_retries = 10}}
"""

SCRIPTS: Final[dict[str, list[Act]]] = {
    "good": [answer(200)],
    "silent": [Silence()],
    "flood": [head("Content-Length: 1073741824"), Drip(bytes(MIB), times=1024)],
    "cut": [head("Content-Length: 10"), b"abc", Close()],
    "reset": [Reset()],
    "garbage": [b"\x00\x01\x02 what?\r\n\r\n"],
    "moved": [answer(307, location="https://elsewhere.example/")],
}
HTTPBIN: Final = {
    "flaky": ("/status/200,200,200,200,503", STEADY),
    "slow": ("/delay/8", NEAR),
    "redirect": ("/redirect/1", GET),
    "drip": ("/drip?duration=8&numbytes=40&code=200", GET),
    "gzip": ("/gzip", GET),
    "password": ("/basic-auth/user/secret", PASSWORD % "secret"),
    "wrong-password": ("/basic-auth/user/secret", PASSWORD % "other"),
}


class Wanted(NamedTuple):
    """What the first attempt shall say, and how the delivery then stands."""

    failure_class: str | None
    code: str | None
    http_status: int | None
    action: str
    status: str = "pending"
    in_doubt: bool = False


DONE: Final = Wanted(None, None, 200, "done", "delivered")
CASES: Final = {
    "silent": Wanted("timeout", "ETIMEDOUT", None, "retry", in_doubt=True),
    "flood": DONE,
    "cut": Wanted("protocol", "BODY_INCOMPLETE", 200, "retry", in_doubt=True),
    "reset": Wanted("connect", "ECONNRESET", None, "retry", in_doubt=True),
    "garbage": Wanted("protocol", "ANSWER_INVALID", None, "retry", in_doubt=True),
    "moved": Wanted("protocol", None, 307, "dead_letter", "dead"),
    "certificate": Wanted("tls", "CERTIFICATE_UNKNOWN_ISSUER", None, "retry"),
    "nameless": Wanted("dns", "EAI", None, "retry"),
    "absent": Wanted("connect", "ECONNREFUSED", None, "retry"),
    "inside": Wanted("configuration", "ADDRESS_REFUSED", None, "dead_letter", "dead"),
    "slow": Wanted("timeout", "ETIMEDOUT", None, "retry", in_doubt=True),
    "redirect": Wanted("protocol", None, 302, "dead_letter", "dead"),
    "drip": Wanted("timeout", "ETIMEDOUT", 200, "retry", in_doubt=True),
    "gzip": DONE,
    "password": DONE,
    "wrong-password": Wanted("auth", None, 401, "dead_letter", "dead"),
}


def scripted(acts: list[Act]) -> Script:
    """Return the script that always does the same."""
    return lambda _: acts


@pytest.fixture(scope="module")
def urls(program: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run every partner; return recipient -> URL."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    log = tmp_path_factory.mktemp("httpbin") / "log.txt"
    with contextlib.ExitStack() as stack:
        found = {
            name: stack.enter_context(Partner(scripted(acts))).url for name, acts in SCRIPTS.items()
        }
        found["certificate"] = stack.enter_context(Partner(tls=tls)).url
        found["nameless"] = "http://no-such-partner.invalid/"
        found["absent"] = f"http://127.0.0.1:{free_port()}/"
        found["inside"] = found["good"]
        server = stack.enter_context(program("httpbin_server.py", [], log)).said
        found |= {name: server + path for name, (path, _) in HTTPBIN.items()}
        yield found


@pytest.fixture(scope="module")
def posted(
    launch: Launch, urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Holdfast, dict[str, list[str]]]]:
    """Start it and post: many messages to the good and the flaky one, one to each other."""
    settings = dict.fromkeys(urls, NEAR) | {name: own for name, (_, own) in HTTPBIN.items()}
    settings["inside"] = ""
    config = "".join(
        RECIPIENT.format(name=name, url=url, settings=settings[name]) for name, url in urls.items()
    )
    with launch(tmp_path_factory.mktemp("hostile"), config) as holdfast:
        holdfast.up()
        many = {"good": GOOD, "flaky": FLAKY}
        yield (
            holdfast,
            {
                name: [holdfast.send(name, {"n": n})[0] for n in range(many.get(name, 1))]
                for name in sorted(urls, key="good".__eq__)
            },
        )


def first_attempt(holdfast: Holdfast, delivery_id: str, wait_until: Callable[..., Any]) -> Any:
    """Return the first attempt of a delivery, once it is there."""
    return wait_until(lambda: holdfast.attempts(delivery_id), "it was tried")[0]


@pytest.mark.parametrize("name", CASES)
def test_each_ends_in_its_class(
    posted: tuple[Holdfast, dict[str, list[str]]], name: str, wait_until: Callable[..., Any]
) -> None:
    """Class, code, status and decision are those of the trouble, in the journal and on the row."""
    holdfast, ids = posted
    attempt = first_attempt(holdfast, ids[name][0], wait_until)
    delivery = holdfast.delivery(ids[name][0])
    details = attempt["error_details"] or {"http_status": 200}
    code = details.get("code")
    seen = Wanted(
        attempt["failure_class"],
        "EAI" if str(code).startswith("EAI_") else code,  # NONAME or AGAIN: the resolver's choice
        details.get("http_status"),
        attempt["next_action"]["type"],
        delivery["status"],
        in_doubt=delivery["in_doubt"],
    )
    assert seen == CASES[name], attempt
    assert attempt["processing_time_ms"] < 10_000
    if seen.action == "dead_letter":
        assert delivery["code"] == "HARD_FAILURE"


def test_the_good_one_is_not_disturbed(posted: tuple[Holdfast, dict[str, list[str]]]) -> None:
    """Its messages, posted last, are delivered at the first try while the others suffer."""
    holdfast, ids = posted
    for delivery_id in ids["good"]:
        (attempt,) = holdfast.attempts(delivery_id)
        assert attempt["outcome"] == "success"
    assert {holdfast.delivery(one)["status"] for one in ids["good"]} == {"delivered"}


def test_a_flaky_one_gets_everything(
    posted: tuple[Holdfast, dict[str, list[str]]], wait_until: Callable[..., Any]
) -> None:
    """Every 503 of httpbin is a server error that is retried, until the 200."""
    holdfast, ids = posted
    wait_until(lambda: holdfast.get("/v1/recipients/flaky")["pending"] == 0, "flaky has everything")
    refusals = 0
    for delivery_id in ids["flaky"]:
        *failed, last = holdfast.attempts(delivery_id)
        assert (last["outcome"], last["next_action"]["type"]) == ("success", "done")
        assert [attempt["attempt_number"] for attempt in failed] == list(range(len(failed)))
        assert all(attempt["error_details"]["http_status"] == 503 for attempt in failed)
        assert all(attempt["next_action"]["type"] == "retry" for attempt in failed)
        refusals += len(failed)
    assert refusals > 0
