"""What goes out as body, and that no payload can break out of its place in it."""

import json
from typing import Any
from urllib.parse import parse_qsl

import defusedxml.ElementTree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.channel import Request
from holdfast.channels.http.body import DEPTH_MAX
from holdfast.channels.http.fault import Unsendable
from holdfast.channels.http.prepare import Plan
from holdfast.model.flow import Endpoint

TEXT = st.text(st.characters(codec="utf-8"))


def body_of(payload: Any, **fields: Any) -> bytes:
    """Return the body that a payload becomes; `fields` are the endpoint's."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    endpoint = Endpoint(url="https://p.example/hook", **fields)
    request = Request(endpoint, raw, "dlv_1", "msg_1", 0, "acme", "leads", "deliver")
    body = Plan(endpoint).prepare(request, 1_700_000_000_000).body
    assert body is not None
    return body


def code_of(payload: Any, **fields: Any) -> str:
    """Return the code with which a payload is refused."""
    with pytest.raises(Unsendable) as caught:
        body_of(payload, **fields)
    return caught.value.fault.code


def test_json_goes_out_byte_for_byte() -> None:
    """A JSON body is the payload itself, with its spaces, order and number spelling."""
    payload = b'{"b": 1.50,  "a":"\\u00e9",\n"b2":1e2}'
    assert body_of(payload) == payload


def test_json_is_not_even_parsed() -> None:
    """Without a template the payload is not looked at: zero work on the hot path."""
    assert body_of(b"not json") == b"not json"


def test_a_form_flattens_by_dots() -> None:
    """Nested fields become dotted keys, list items get their number, null becomes empty."""
    payload = {"a": 1, "n": {"x": "ü &=", "y": {"z": True}}, "l": ["p", {"q": None}], "e": {}}
    pairs = parse_qsl(body_of(payload, body="form").decode(), keep_blank_values=True)
    assert pairs == [("a", "1"), ("n.x", "ü &="), ("n.y.z", "true"), ("l.0", "p"), ("l.1.q", "")]


def test_numbers_keep_their_spelling() -> None:
    """Money must not become binary floating point on its way."""
    raw = b'{"price": 125.00, "big": 12345678901234567890.5}'
    assert body_of(raw, body="form") == b"price=125.00&big=12345678901234567890.5"


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=5))
def test_no_value_adds_a_form_field(payload: dict[str, str]) -> None:
    """What a form parser reads is exactly what was in the payload."""
    body = body_of(payload, body="form").decode()
    assert parse_qsl(body, keep_blank_values=True) == list(payload.items())


def test_xml_maps_elements() -> None:
    """Objects nest, lists repeat, scalars are text, odd names are made legal."""
    payload = {"lead": {"first name": "A<b>", "1st": None}, "tag": ["x", "y"], "ok": False}
    assert body_of(payload, body="xml").decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<payload><lead><first_name>A&lt;b&gt;</first_name>'
        "<_1st></_1st></lead><tag>x</tag><tag>y</tag><ok>false</ok></payload>"
    )


@given(st.dictionaries(TEXT, st.one_of(TEXT, st.lists(TEXT, max_size=3)), max_size=4))
def test_no_value_adds_an_element(payload: dict[str, str | list[str]]) -> None:
    """Whatever the payload holds, the document is well formed and has the expected elements."""
    root = defusedxml.ElementTree.fromstring(body_of(payload, body="xml"))
    expected = sum(len(v) if isinstance(v, list) else 1 for v in payload.values())
    assert len(root) == expected
    assert all(len(child) == 0 for child in root)


@given(TEXT)
def test_no_value_breaks_out_of_a_json_string(value: str) -> None:
    """A placeholder between quotes is escaped; the document parses to the value."""
    template = '{"quoted": "<{{v}}>", "plain": {{v}}, "odd\\"": "{{n}}"}'
    body = body_of({"v": value, "n": 1.5}, template=template)
    assert json.loads(body) == {"quoted": f"<{value}>", "plain": value, 'odd"': "1.5"}


def test_a_json_template_keeps_types_outside_quotes() -> None:
    """Outside quotes numbers, booleans, null, lists and objects come as they are."""
    payload = {"n": 1.50, "b": True, "z": None, "l": [1, {"x": 2}]}
    body = body_of(payload, template='{"n":{{n}},"b":{{b}},"z":{{z}},"l":{{l}},"s":"{{z}}{{b}}"}')
    assert json.loads(body) == {**payload, "s": "true"}


@given(TEXT)
def test_no_value_breaks_out_of_an_xml_template(value: str) -> None:
    """Element content and attributes are escaped."""
    body = body_of({"v": value}, body="xml", template="<a b=\"{{v}}\" c='{{v}}'>{{v}}</a>")
    root = defusedxml.ElementTree.fromstring(body)
    assert (len(root), list(root.attrib)) == (0, ["b", "c"])


def test_form_templates_are_percent_encoded() -> None:
    """A value cannot add a field to a form template."""
    body = body_of({"v": "1&admin=1"}, body="form", template="a={{v}}&b=2")
    assert body == b"a=1%26admin%3D1&b=2"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, b'<"&>'),
        ("application/vnd.x+json", b'<\\"&>'),
        ("text/xml", b"&lt;&quot;&amp;&gt;"),
        ("application/x-www-form-urlencoded", b"%3C%22%26%3E"),
    ],
)
def test_raw_templates_are_escaped_by_content_type(
    content_type: str | None, expected: bytes
) -> None:
    """A raw body says by its content type what its values must not break."""
    template = '"{{v}}"'
    body = body_of({"v": '<"&>'}, body="raw", template=template, content_type=content_type)
    assert body == b'"' + expected + b'"'


def test_templates_reach_into_lists_and_know_the_request() -> None:
    """Paths are dotted with list positions; five words are the request's own."""
    template = "{{l.1.x}} {{message.id}} {{delivery.id}} {{ recipient }} {{flow}} {{step}}"
    body = body_of({"l": [0, {"x": "v"}], "step": "mine"}, body="raw", template=template)
    assert body == b"v msg_1 dlv_1 acme leads deliver"


@pytest.mark.parametrize("path", ["b", "a.b", "a.c.d", "l.2", "l.x", "l.-1", "s.0"])
def test_a_missing_field_is_named(path: str) -> None:
    """The error names the path that the payload lacks."""
    payload = {"a": {"c": 1}, "l": [1, 2], "s": "text"}
    with pytest.raises(Unsendable, match=path) as caught:
        body_of(payload, body="raw", template="{{" + path + "}}")
    assert caught.value.fault.code == "TEMPLATE_FIELD_MISSING"
    assert not caught.value.fault.maybe_received


@pytest.mark.parametrize("kind", ["form", "xml"])
def test_payloads_that_do_not_fit_are_refused(kind: str) -> None:
    """Only JSON objects of bounded depth can become a form or XML."""
    deep: dict[str, Any] = {}
    for _ in range(DEPTH_MAX + 2):
        deep = {"d": deep}
    assert code_of(deep, body=kind) == "PAYLOAD_TOO_DEEP"
    assert code_of(b"[1]", body=kind) == "PAYLOAD_NOT_OBJECT"
    assert code_of(b"{", body=kind) == "PAYLOAD_NOT_OBJECT"
    assert code_of(b'{"a": "\xff"}', body=kind) == "PAYLOAD_NOT_JSON"


def test_a_template_over_no_json_is_refused() -> None:
    """A template needs a payload that parses."""
    assert code_of(b"{oops", template="{{a}}") == "PAYLOAD_NOT_JSON"


def test_raw_needs_a_template() -> None:
    """A raw body without a template has nothing to say."""
    assert code_of({}, body="raw") == "TEMPLATE_MISSING"
