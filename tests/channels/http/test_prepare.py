"""URL, headers and authentication; and which endpoints are refused before anything is sent."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import __version__
from holdfast.channel import Request
from holdfast.channels.http import check_endpoint
from holdfast.channels.http.fault import Unsendable
from holdfast.channels.http.prepare import Plan, Prepared
from holdfast.channels.http.signature import verify
from holdfast.model.flow import Auth, BasicAuth, BearerAuth, Endpoint, HeaderAuth

SECRETS = tuple("whsec_" + base64.b64encode(bytes([n]) * 24).decode() for n in (1, 2))
AT = 1_700_000_000_123


def prepared(payload: Any = None, **fields: Any) -> Prepared:
    """Return the request of a payload; `fields` are the endpoint's."""
    endpoint = Endpoint(**({"url": "https://p.example/hook"} | fields))
    raw = json.dumps(payload or {}).encode()
    request = Request(endpoint, raw, "dlv_1", "msg_1", 3, "acme", "leads", "deliver")
    return Plan(endpoint).prepare(request, AT)


def headers_of(payload: Any = None, **fields: Any) -> dict[str, str]:
    """Return its headers; none may come twice."""
    pairs = prepared(payload, **fields).headers
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_the_headers_of_every_request() -> None:
    """Key, message, time of the attempt in seconds, number of the attempt, and who we are."""
    assert headers_of() == {
        "accept": "*/*",
        "content-type": "application/json",
        "user-agent": f"holdfast/{__version__}",
        "idempotency-key": "dlv_1",
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "holdfast-attempt": "3",
    }


@pytest.mark.parametrize("body", ["json", "form"])
def test_all_secrets_sign_what_goes_out(body: str) -> None:
    """Every secret verifies the body as sent, so that keys can rotate."""
    request = prepared({"a": 1}, secrets=SECRETS, body=body)
    assert request.body is not None
    assert all(verify(secret, dict(request.headers), request.body) for secret in SECRETS)


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (
            BasicAuth("u", "p:ö"),
            "authorization",
            "Basic " + base64.b64encode(b"u:p:\xc3\xb6").decode(),
        ),
        (BearerAuth("t0k"), "authorization", "Bearer t0k"),
        (HeaderAuth("X-Api-Key", "k"), "x-api-key", "k"),
    ],
)
def test_authentication(auth: Auth, name: str, value: str) -> None:
    """Basic, bearer and a header of the partner's own."""
    assert headers_of(auth=auth)[name] == value


def test_configured_headers_replace_the_defaults() -> None:
    """User-Agent and Content-Type are the author's if given; values may have placeholders."""
    headers = {"User-Agent": "mine", "content-type": "a/b", "X-Id": "v-{{a.b}}-{{message.id}}"}
    found = headers_of({"a": {"b": 7}}, headers=headers)
    assert (found["user-agent"], found["content-type"]) == ("mine", "a/b")
    assert found["x-id"] == "v-7-msg_1"


@given(st.text(st.characters(codec="utf-8")))
def test_no_value_adds_a_header(value: str) -> None:
    """A value in a header is printable ASCII or the request is refused."""
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        with pytest.raises(Unsendable, match="control characters"):
            headers_of({"v": value}, headers={"X-V": "{{v}}"})
    else:
        found = headers_of({"v": value}, headers={"X-V": "{{v}}"})["x-v"]
        assert all(32 <= ord(char) < 127 for char in found)


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda v: v not in {".", ".."}))
def test_no_value_changes_the_url(value: str) -> None:
    """A value stays inside its path segment and its query field."""
    url = prepared({"v": value}, url="https://p.example/a/{{v}}/z?q={{v}}&r=1").url
    assert url.host_str == "p.example"
    assert url.path_segments is not None
    assert (len(url.path_segments), url.path_segments[-1]) == (3, "z")
    assert url.query_pairs == [("q", value), ("r", "1")]


@pytest.mark.parametrize("value", [".", "..", ""])
def test_a_value_cannot_climb_or_vanish(value: str) -> None:
    """`/leads/{{id}}` must not become `/leads/` or `/`."""
    for url in ("https://p.example/leads/{{v}}", "https://p.example/leads/{{v}}/x"):
        with pytest.raises(Unsendable) as caught:
            prepared({"v": value}, url=url)
        assert caught.value.fault.code == "URL_VALUE_REFUSED"


def test_get_sends_no_body() -> None:
    """A GET carries a form in its query, after what the URL has, and otherwise nothing."""
    request = prepared(
        {"a": "x y", "n": {"b": 1}}, method="GET", body="form", url="https://p.example/?k=1"
    )
    assert (request.body, str(request.url)) == (None, "https://p.example/?k=1&a=x+y&n.b=1")
    assert prepared({"a": 1}, method="GET").body is None


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("url", {"url": "ftp://p.example/"}),
        ("url", {"url": "/hook"}),
        ("url", {"url": "https://user:hunter2@p.example/"}),
        ("url", {"url": "https://{{host}}/"}),
        ("url", {"url": "https://p.example:{{port}}/"}),
        ("url", {"url": "{{scheme}}://p.example/"}),
        ("url", {"url": "https:\\\\{{host}}\\"}),
        ("headers.X Y", {"headers": {"X Y": "1"}}),
        ("headers.X", {"headers": {"X": "hunter2\r\nY: 1"}}),
        ("headers.Idempotency-Key", {"headers": {"Idempotency-Key": "hunter2"}}),
        ("headers.Content-Length", {"headers": {"Content-Length": "1"}}),
        ("headers.Transfer-Encoding", {"headers": {"Transfer-Encoding": "chunked"}}),
        ("auth.token", {"auth": BearerAuth("hunter2\n")}),
        ("auth.value", {"auth": HeaderAuth("X-Key", "hunter2\x00")}),
        ("auth", {"auth": BearerAuth("t"), "headers": {"authorization": "hunter2"}}),
        ("secrets", {"secrets": ("whsec_hunter2!",)}),
        ("template", {"body": "raw"}),
    ],
)
def test_bad_endpoints_are_refused_by_field_without_secrets(
    field: str, fields: dict[str, Any]
) -> None:
    """The problem names the field and shows no value; a good endpoint has none."""
    problem = check_endpoint(Endpoint(**({"url": "https://p.example/hook"} | fields)))
    assert problem is not None
    assert problem.startswith(f"{field}: ")
    assert "hunter2" not in problem


def test_a_good_endpoint_has_no_problem() -> None:
    """`check_endpoint` is silent about what can be used."""
    assert check_endpoint(Endpoint(url="https://p.example:8443/a/{{x}}?y={{z}}")) is None


def test_the_error_share_covers_the_last_hundred_sends() -> None:
    """Older sends do not count (S1.18)."""
    plan = Plan(Endpoint(url="https://p.example/"))
    assert plan.note(answered=False) == 1.0
    assert plan.note(answered=True) == 0.5
    for _ in range(97):
        plan.note(answered=True)
    assert plan.note(answered=True) == 0.01
    assert plan.note(answered=True) == 0.0
