"""What must not be seen is not seen, and nothing else changes."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.flow import BasicAuth, BearerAuth, Endpoint, HeaderAuth
from holdfast.policy.redaction import endpoint_secrets, mask_values, masked, strip, values_at

LEAD: dict[str, Any] = {
    "ssn": "078-05-1120",
    "age": 41,
    "name": {"first": "Zoë", "last": "O'Neil"},
    "phones": [{"kind": "home", "number": "5551234567"}, {"kind": "work", "number": 5557654321}],
    "tags": ["a", "b", "c"],
    "grid": [[1, 2], [3, 4]],
    "ok": True,
    "none": None,
}


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("ssn 078-05-1120 refused", ["078-05-1120"], "ssn *** refused"),
        ("JANE@X.EXAMPLE", ["jane@x.example"], "***"),
        ("jane%40x.example", ["jane@x.example"], "***"),
        ("a+b%26c", ["a b&c"], "***"),
        ('{"n": "Zo\\u00eb"}', ["Zoë"], '{"n": "***"}'),
        ('say \\"hi\\"', ['say "hi"'], "***"),
        ("abcdef abc", ["abc", "abcdef"], "*** ***"),
        ("a.c abc", ["a.c"], "*** abc"),
        ("it is 41", ["41"], "it is 41"),
        ("cut off: 078-05", ["078-05-1120"], "cut off: ***"),
        ("", ["abc"], ""),
        ("text", [], "text"),
    ],
)
def test_mask_values(text: str, secrets: list[str], expected: str) -> None:
    """S1.125: values go in every form they come back in, also when the excerpt cuts them."""
    assert mask_values(text, secrets) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ssn", {"ssn": "***"}),
        ("name.first", {"name": {"first": "***", "last": "O'Neil"}}),
        ("name", {"name": "***"}),
        ("name.*", {"name": {"first": "***", "last": "***"}}),
        (
            "phones.*.number",
            {"phones": [{"kind": "home", "number": "***"}, {"kind": "work", "number": "***"}]},
        ),
        (
            "phones.number",
            {"phones": [{"kind": "home", "number": "***"}, {"kind": "work", "number": "***"}]},
        ),
        ("phones.1", {"phones": [LEAD["phones"][0], "***"]}),
        ("tags.*", {"tags": ["***"] * 3}),
        ("grid.0.1", {"grid": [[1, "***"], [3, 4]]}),
        ("missing", {}),
        ("name.missing.x", {}),
        ("ssn.x", {}),
        ("tags.9", {}),
        ("tags.name", {}),
        ("", {}),
        ("..", {}),
    ],
)
def test_masked(path: str, expected: dict[str, Any]) -> None:
    """Paths, indexes and wildcards are masked; missing ones do nothing; the input stays."""
    before = copy.deepcopy(LEAD)
    assert masked(LEAD, (path,)) == LEAD | expected
    assert before == LEAD


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("ssn",), ["078-05-1120"]),
        (("phones",), ["home", "5551234567", "work", "5557654321"]),
        (("phones.number", "phones.*.number"), ["5551234567", "5557654321"]),
        (("age", "ok", "none", "tags", "missing"), []),
        (("name.*",), ["Zoë", "O'Neil"]),
    ],
)
def test_values_at(paths: tuple[str, ...], expected: list[str]) -> None:
    """Texts and numbers at and below the paths, of three characters or more, once, in order."""
    assert values_at(LEAD, paths) == expected


@pytest.mark.parametrize(
    ("drop", "keep", "expected"),
    [
        ((), None, LEAD),
        (("ssn", "name.first"), None, LEAD | {"ssn": ..., "name": {"last": "O'Neil"}}),
        (("tags.1",), None, LEAD | {"tags": ["a", "c"]}),
        (("tags.*",), None, LEAD | {"tags": []}),
        (("phones.number",), None, LEAD | {"phones": [{"kind": "home"}, {"kind": "work"}]}),
        (("missing", "name.missing", ""), None, LEAD),
        ((), ("ssn", "name.last"), {"ssn": "078-05-1120", "name": {"last": "O'Neil"}}),
        ((), ("phones.*.kind",), {"phones": [{"kind": "home"}, {"kind": "work"}]}),
        ((), ("phones.kind",), {"phones": [{"kind": "home"}, {"kind": "work"}]}),
        ((), ("phones.0",), {"phones": [LEAD["phones"][0]]}),
        ((), ("name", "name.first"), {"name": LEAD["name"]}),
        (
            (),
            ("phones.*.kind", "phones.1.number"),
            {"phones": [{"kind": "home"}, {"kind": "work", "number": 5557654321}]},
        ),
        ((), ("phones.*", "phones.1.number"), {"phones": LEAD["phones"]}),
        ((), (), {}),
        ((), ("missing", "ssn.x"), {}),
        (("name.first",), ("name",), {"name": {"last": "O'Neil"}}),
    ],
)
def test_strip(
    drop: tuple[str, ...], keep: tuple[str, ...] | None, expected: dict[str, Any]
) -> None:
    """S5.47: keep first, then drop; what is needed stays as it was."""
    expected = {key: value for key, value in expected.items() if value is not ...}
    before = copy.deepcopy(LEAD)
    assert strip(LEAD, drop, keep) == expected
    assert before == LEAD


def test_strip_of_lists_and_scalars() -> None:
    """Payloads need not be objects."""
    assert strip([{"a": 1, "b": 2}], ("a",), None) == [{"b": 2}]
    assert strip([{"a": 1, "b": 2}], (), ("*.a",)) == [{"a": 1}]
    assert strip([1], (), ()) == []
    assert strip("text", ("a",), ("b",)) == "text"


def test_endpoint_secrets() -> None:
    """Passwords, tokens, telling headers and parameters are known in the form they travel."""
    url = "https://acme.example/"
    basic = Endpoint(url=url, auth=BasicAuth("user", "pass:word"), secrets=("whsec_x",))
    assert endpoint_secrets(basic) == ["whsec_x", "pass:word", "dXNlcjpwYXNzOndvcmQ="]
    assert endpoint_secrets(Endpoint(url=url, auth=BearerAuth("t0ken"))) == ["t0ken"]
    assert endpoint_secrets(Endpoint(url=url, auth=HeaderAuth("X", "v4lue"))) == ["v4lue"]
    headers = {"X-Api-Key": "k3y", "Accept": "text/plain"}
    assert endpoint_secrets(Endpoint(url=url, headers=headers)) == ["k3y"]
    assert endpoint_secrets(Endpoint(url=f"{url}?api_key=a%20b&page=seven")) == ["a b"]
    hook = Endpoint(url=f"{url}services/T024BE7LD/B1H8RKQJJ/xoXt5aP0bQ9sVw2eR7uY3mNc")
    assert endpoint_secrets(hook) == ["xoXt5aP0bQ9sVw2eR7uY3mNc"]
    assert endpoint_secrets(Endpoint(url=f"{url}leads/incoming-submissions/v2")) == []


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc0*"), inner, max_size=3)
    ),
    max_leaves=10,
)
paths = st.lists(st.sampled_from(["a", "b", "0", "1", "*", ""]), min_size=1, max_size=4)


@given(trees, st.lists(paths.map(".".join), max_size=3).map(tuple))
def test_nothing_raises_and_nothing_leaks(tree: object, chosen: tuple[str, ...]) -> None:
    """For any payload and paths: no error, the input stays, and no chosen value is left."""
    before = copy.deepcopy(tree)
    hidden = masked(tree, chosen)
    assert set(values_at(hidden, chosen)) <= {"***"}
    assert values_at(strip(tree, chosen, None), ()) == []
    strip(tree, (), chosen)
    assert tree == before


@given(st.text(max_size=60), st.lists(st.text(min_size=3, max_size=8), max_size=4))
def test_no_value_is_left(text: str, secrets: list[str]) -> None:
    """After masking, none of the values stands in the text (unless the mask itself spells it)."""
    shown = mask_values(text + "".join(secrets), secrets).replace("***", "\0")
    assert not any(secret in shown for secret in secrets if "\0" not in secret)


def test_deep_payloads() -> None:
    """A payload nested deeper than our stack is no trouble."""
    deep: object = "secret"
    for _ in range(100_000):
        deep = [deep]
    payload = {"a": deep, "b": 1}
    assert values_at(payload, ("a",)) == ["secret"]
    assert masked(payload, ("a",)) == {"a": "***", "b": 1}
    while isinstance(deep, list):  # freeing it at once would be the interpreter's recursion
        deep = deep.pop()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (r'{"auth": "Basic YWJj\/ZGVm"}', "YWJj/ZGVm"),
        (r'{"phone": "\u002B15551234567"}', "+15551234567"),
        (r'{"name": "A\u0026B Corp"}', "A&B Corp"),
        ("<name>O&apos;Brien</name>", "O'Brien"),
        ("<b>O&#39;Brien</b>", "O'Brien"),
        ("<b>O&#039;Brien</b>", "O'Brien"),
        ("A&amp;B Corp", "A&B Corp"),
        ("no İbrahim", "İbrahim"),
    ],
)
def test_values_are_masked_as_partners_write_them(text: str, secret: str) -> None:
    """PHP escapes slashes, .NET and Go some signs, HTML and XML quotes; some letters grow."""
    shown = mask_values(text, [secret])
    assert "***" in shown
    assert mask_values(f"{text} and {secret}", [secret]).count("***") == 2


def test_secrets_in_headers_and_queries_are_known() -> None:
    """A token is a secret without its scheme too; drawn values are, whatever their name."""
    endpoint = Endpoint(
        name="main",
        url="https://p.example/hook?sig=Abc123Abc123Abc123",
        headers={"Authorization": "Bearer tok_live_4242", "X-Partner": "Zz9Zz9Zz9Zz9Zz9Zz9"},
    )
    told = "tok_live_4242 Abc123Abc123Abc123 Zz9Zz9Zz9Zz9Zz9Zz9"
    assert mask_values(told, endpoint_secrets(endpoint)) == "*** *** ***"


def test_items_are_stripped_by_the_places_they_have() -> None:
    """The first item that goes must not move the second one out of its path."""
    payload = {"phones": ["a1", "b2", "c3"], "grid": [[1, 2], [3, 4]]}
    assert strip(payload, ("phones.0", "phones.1"), None) == {
        "phones": ["c3"],
        "grid": [[1, 2], [3, 4]],
    }
    assert strip(payload, ("phones", "grid.0.0", "grid.*.1"), None) == {"grid": [[], [3]]}
    people = {"phones": [{"n": 1}, {"n": 2, "kind": "work"}]}
    assert strip(people, ("phones.1.n",), ("phones.1",)) == {"phones": [{"kind": "work"}]}


def test_of_many_values_the_one_that_occurs_is_found() -> None:
    """Each has a dozen forms; only those that occur become a pattern."""
    values = [f"{number} \"Main\" Street <&> 'Old/Town'" for number in range(2_000)]
    assert mask_values(f"no such place: {values[7].upper()}!", values) == "no such place: ***!"
