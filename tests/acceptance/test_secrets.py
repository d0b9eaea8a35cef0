"""What is secret stays so: masked values, our credentials, payloads at rest (promise 8).

Partners echo the whole request, headers and all, in every place of an answer that is kept. Then
everything that was written or shown is searched for what was planted.
"""

from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest

from holdfast.testing.partner import Act, Partner, Seen, answer
from holdfast.testing.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from tests.acceptance.conftest import Holdfast, Launch

pytestmark = pytest.mark.slow

SSN: Final = "987-65-4321"
CARD: Final = 4_556_737_586_899_855
NICK: Final = "Zaphod 20260 Beeblebrox"
NAME: Final = "Zebulon Quartermain"
BEARER: Final = "bearer-0f9e8d7c6b5a"
PASSWORD: Final = "pass:w\u00f6rd-5544332211"
API_KEY: Final = "apikey-1a2b3c4d5e6f"
HEADER: Final = "header-99887766554433"
PATH: Final = "path-T0PSECRET00"
WEBHOOK: Final = base64.b64encode(b"webhook-secret-of-24-byt").decode()
TOKEN: Final = "api-token-5f4e3d2c1b"
PLANTED: Final = (SSN, str(CARD), BEARER, PASSWORD, API_KEY, HEADER, PATH, WEBHOOK, TOKEN)

CONFIG: Final = """
[server]
token = "env:THE_TOKEN"
[log]
level = "debug"
[policy.response]
reason_path = "reason"
reference_path = "reference"
"""
RECIPIENT: Final = """
[recipients.{name}]
url = "{url}?key={api_key}"
allow_private = true
headers = {{ "X-Partner-Key" = "{header}" }}
secrets = ["whsec_{webhook}"]
auth = {auth}
[flows.{name}]
mask = ["ssn", "nick", "cards.number"]
[[flows.{name}.steps]]
recipient = "{name}"
"""
AUTHS: Final = (
    f'{{type = "bearer", token = "{BEARER}"}}',
    f'{{type = "basic", username = "us", password = "{PASSWORD}"}}',
    f'{{type = "header", name = "X-Api-Key", value = "{BEARER}"}}',
)
PAYLOAD: Final = {
    "ssn": SSN,
    "cards": [{"number": CARD}, {"number": str(CARD)}],
    "nick": NICK,
    "name": NAME,
    "text": "filler " * 300,
}


def whole(seen: Seen) -> str:
    """Return a request as a partner may log it."""
    lines = "".join(f"{name}: {value}\n" for name, value in seen.headers.items())
    return f"{seen.method} {seen.target}\n{lines}\n{seen.body.decode()}"


def echo_500(seen: Seen) -> Iterable[Act]:
    """Return everything as the body of a 500."""
    return [answer(500, whole(seen).encode())]


def echo_quoted(seen: Seen) -> Iterable[Act]:
    """Return everything in percent encoding, with a 503."""
    return [answer(503, quote(whole(seen), safe="").encode())]


def echo_reason(seen: Seen) -> Iterable[Act]:
    """Return secrets as the reason of a refusal."""
    lines = [
        value for name, value in seen.headers.items() if name in {"authorization", "x-partner-key"}
    ]
    told = f"bad lead {NICK} {SSN} {CARD} {' '.join(lines)} {seen.target}"
    return [answer(422, json.dumps({"reason": told}).encode())]


def echo_reference(seen: Seen) -> Iterable[Act]:
    """Return secrets as the reference of a success."""
    told = f"{SSN} {seen.headers['x-partner-key']}"
    return [answer(200, json.dumps({"reference": told}).encode())]


def echo_garbage(seen: Seen) -> Iterable[Act]:
    """Return everything as what is no HTTP at all."""
    return [whole(seen).encode() + b"\r\n\r\n"]


def echo_location(seen: Seen) -> Iterable[Act]:
    """Return everything in headers."""
    return [answer(302, b"", location=f"/{SSN}{seen.target}", retry_after=SSN)]


SCRIPTS: Final = (
    echo_500,
    echo_quoted,
    echo_reason,
    echo_reference,
    echo_garbage,
    echo_location,
)


@pytest.fixture
def config() -> Iterator[str]:
    """Run a partner for each way to echo; return a configuration with a recipient for each."""
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(Partner(script)).url for script in SCRIPTS]
        urls += [f"http://127.0.0.1:{free_port()}/{PATH}", f"http://nowhere.invalid/{PATH}"]
        yield CONFIG + "".join(
            RECIPIENT.format(
                name=f"r{number}",
                url=url,
                api_key=API_KEY,
                header=HEADER,
                webhook=WEBHOOK,
                auth=AUTHS[number % len(AUTHS)],
            )
            for number, url in enumerate(urls)
        )


@pytest.fixture
def holdfast(launch: Launch, config: str, tmp_path: Path) -> Iterator[Holdfast]:
    """Run one with all of them."""
    with launch(tmp_path, config) as made:
        made.token = TOKEN
        made.up(environ={"THE_TOKEN": TOKEN})
        yield made


def everything_shown(holdfast: Holdfast, ids: list[str]) -> dict[str, bytes]:
    """Return every page of the API."""
    pages = ["/v1/events?limit=1000", "/v1/deliveries", "/v1/recipients", "/v1/flows", "/v1/audit"]
    pages += [f"/v1/deliveries/{one}" for one in ids]
    pages += [f"/v1/deliveries/{one}/attempts" for one in ids]
    pages += [f"/v1/messages/{holdfast.delivery(one)['message_id']}" for one in ids]
    return {page: holdfast.call("GET", page).body for page in pages}


def everything_written(holdfast: Holdfast) -> dict[str, bytes]:
    """Return every file but the configuration and the keys."""
    files = [*holdfast.data.iterdir(), *holdfast.folder.glob("*.txt")]
    return {path.name: path.read_bytes() for path in files if path.name != "keys.json"}


def found_in(texts: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return (where, what) of what was planted, also as base64 and JSON would have it."""
    forms = {word: word.encode() for word in PLANTED}
    forms["nick"] = b"Beeblebrox"
    forms["escaped"] = json.dumps(PASSWORD)[1:-1].encode()
    forms["basic"] = base64.b64encode(f"us:{PASSWORD}".encode())
    return [
        (at, what) for at, text in texts.items() for what, form in forms.items() if form in text
    ]


def test_nothing_secret_gets_out(holdfast: Holdfast, wait_until: Callable[..., Any]) -> None:
    """Neither what is shown nor what is written holds a planted secret, nor a payload on disk."""
    ids = [holdfast.send(f"r{number}", PAYLOAD)[0] for number in range(len(SCRIPTS) + 2)]
    for one in ids:
        wait_until(lambda one=one: holdfast.attempts(one), "each was tried")
    refused = holdfast.post("/v1/flows/r0/messages", {"payload": PAYLOAD, "priority": 99})
    assert refused.status == 422
    shown = everything_shown(holdfast, ids)
    shown["refused"] = refused.body
    excerpts = [holdfast.attempts(one)[0]["error_details"].get("excerpt") for one in ids[:2]]
    assert found_in(shown) == []
    assert all(excerpt and "***" in excerpt for excerpt in excerpts)
    assert NAME in excerpts[0]
    holdfast.kill()
    written = everything_written(holdfast)
    assert {"holdfast.db", "holdfast.db-wal", "log.txt"} <= written.keys()
    assert len(written["log.txt"]) > 1000
    assert found_in(written) == []
    assert [name for name, text in written.items() if b"Quartermain" in text] == []
