"""Lookups in answers: what is there is found, what is hostile or broken finds nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidInput
from holdfast.policy.extract import VALUE_MAX, Answer, check_path

JSON = (
    b'\xef\xbb\xbf {"a": {"b": [{"c": "x"}, 2, 2.5, true, null, {"d": "\xc3\xa9"}], "0": "zero"}}'
)
XML = b"""<?xml version="1.0"?>
<s:Envelope xmlns:s="urn:soap" xmlns="urn:x"><s:Body>
  <Result code="17"><Price>12.50</Price><Reason>Too <b>old</b></Reason></Result>
  <Result code="18"/></s:Body></s:Envelope>"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b.0.c", "x"),
        ("a.b.1", "2"),
        ("a.b.2", "2.5"),
        ("a.b.3", "true"),
        ("a.b.4", None),
        ("a.b.5", '{"d":"é"}'),
        ("a.b.5.d", "é"),
        ("a.0", "zero"),
        ("a.b.6", None),
        ("a.b.-1", None),
        ("a.b.x", None),
        ("a.b.99999999999999999999", None),
        ("a.b.0.c.d", None),
        ("nothing", None),
        ("/a/b", None),
    ],
)
def test_json_paths(path: str, expected: str | None) -> None:
    """Keys and indexes lead to values; anything else leads nowhere."""
    assert Answer(JSON).find(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/Envelope/Body/Result/Price", "12.50"),
        ("/Envelope/Body/Result/@code", "17"),
        ("//Reason", "Too old"),
        ("//Reason/text()", "Too"),
        ("/Envelope/Body/Result[2]/@code", "18"),
        ("//Missing", None),
        ("/Envelope/Body/Result[@code='18']/Price", None),
        ("//Result[count(Price) = 1]/@code", "17"),
        ("//x:Result", None),
        ("//[", None),
        ("a.b", None),
    ],
)
def test_xpaths(path: str, expected: str | None) -> None:
    """Local names, attributes and text nodes are found; prefixes and broken paths find nothing."""
    assert Answer(XML).find(path) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"OK",
        b"\xff\xfe\x00garbage",
        b'{"a": ',
        b"[" * 100_000,
        b"<" * 1000,
        b"<a>" * 100_000,
        b"<html><br></html>",
        b'{"a": ' + b"9" * 5000 + b"}",
        b"<?xml version='1.0' encoding='nonsense'?><a/>",
    ],
)
def test_garbage_finds_nothing(body: bytes) -> None:
    """A body that is neither JSON nor XML, is cut, or is absurdly deep gives None."""
    answer = Answer(body)
    assert answer.find("a") is None
    assert answer.find("/a/b") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused(encoding: str) -> None:
    """Entities, internal or external, are never expanded: the document is not read at all."""
    internal = '<!DOCTYPE a [<!ENTITY e "boom">]><a><b>&e;</b></a>'
    external = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a><b>&e;</b></a>'
    for text in (internal, external):
        assert Answer(text.encode(encoding)).find("/a/b") is None


def test_a_billion_laughs_are_not_funny() -> None:
    """An exponential entity bomb costs nothing."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    body = f'<!DOCTYPE a [<!ENTITY l0 "ha">{entities}]><a>&l11;</a>'
    assert Answer(body.encode()).find("/a") is None


def test_values_are_bounded() -> None:
    """A partner cannot make us carry a long value around."""
    assert Answer(b'{"a": "' + b"x" * 100_000 + b'"}').find("a") == "x" * VALUE_MAX
    assert Answer(b"<a>" + b"x" * 100_000 + b"</a>").find("/a") == "x" * VALUE_MAX


def test_xpath_values() -> None:
    """Expressions give their value: numbers without a needless fraction, booleans as words."""
    answer = Answer(b"<a><b>1</b><b>2</b></a>")
    found = [answer.find(f"/a/b[{index}]") for index in (1, 2, 3)]
    assert found == ["1", "2", None]
    assert Answer(b"<a n='x'/>").find("/a[@n='x']/@n") == "x"


def test_text_is_decoded_whatever_it_is() -> None:
    """Bytes that are not UTF-8 are replaced, a byte order mark is dropped."""
    assert Answer(b"\xef\xbb\xbfok \xff").text == "ok \ufffd"


@pytest.mark.parametrize("path", ["a", "a.b.0.c", "0", "/a/b", "//a[@b='c']/text()"])
def test_good_paths_pass(path: str) -> None:
    """Paths of both kinds pass the check."""
    check_path(path, "f")


@pytest.mark.parametrize("path", ["", ".", "a..b", "$.a", "a[0]", "/a[", "//s:Body"])
def test_bad_paths_are_named(path: str) -> None:
    """Paths that could never find anything are refused with field and an example."""
    with pytest.raises(InvalidInput) as caught:
        check_path(path, "policy.rules.0.path")
    assert caught.value.field == "policy.rules.0.path"
    assert "/a/b" in caught.value.allowed


@given(st.binary(max_size=200), st.text(max_size=20))
def test_nothing_raises(body: bytes, path: str) -> None:
    """No body and no path, however odd, raises; what is found is text."""
    found = Answer(body).find(path or "a")
    assert found is None or isinstance(found, str)
