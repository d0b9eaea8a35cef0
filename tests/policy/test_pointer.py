"""Fields of a payload by JSON pointer: what is found there, and what is no pointer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidInput
from holdfast.policy import pointer

PAYLOAD = {
    "email": " Ada@Example.com ",
    "lead": {"phones": ["1", "2", "1", {"no": 1}, None], "age": 5.0, "ok": True, "a/b": {"~": 7}},
    "empty": "",
    "long": "x" * 513,
    "many": [str(number) for number in range(40)],
}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/email", ("ada@example.com",)),
        ("/lead/phones", ("1", "2")),
        ("/lead/phones/1", ("2",)),
        ("/lead/age", ("5",)),
        ("/lead/ok", ("true",)),
        ("/lead/a~1b/~0", ("7",)),
        ("/lead", ()),
        ("/nothing/there", ()),
        ("/lead/phones/9", ()),
        ("/empty", ()),
        ("/long", ()),
    ],
)
def test_words_at_a_pointer(name: str, words: tuple[str, ...]) -> None:
    """Scalars and lists of scalars; what is too long, empty or an object is not found."""
    assert pointer.words(PAYLOAD, name) == words


def test_of_a_list_the_first_items_are_found() -> None:
    """A payload cannot fill the index."""
    assert len(pointer.words(PAYLOAD, "/many")) == pointer.WORDS_MAX


@pytest.mark.parametrize(
    ("one", "other"),
    [("5.0", "5"), ("-5.00", "-5"), ("ADA", "ada"), (" a ", "a"), ("straße", "STRASSE")],
)
def test_what_is_the_same_word(one: str, other: str) -> None:
    """Case, outer spaces and a zero fraction do not count."""
    assert pointer.word(one) == pointer.word(other)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20))
def test_a_value_is_found_by_its_text(value: float | str) -> None:
    """Whatever a payload holds, the same text in a search is the same word."""
    found = pointer.words({"a": value}, "/a")
    assert found in {(), (pointer.word(str(value)),)}


@pytest.mark.parametrize(
    "text", ["", "email", "/a~2", "/a~", "/a b", '/a"', "/a:b", "/a,b", "/a\x00", "/" + "a" * 200]
)
def test_what_is_no_pointer_is_refused(text: str) -> None:
    """The error names the place."""
    with pytest.raises(InvalidInput, match=r"flows\.leads\.search\.0"):
        pointer.check_all("flows.leads.search", (text,))


def test_few_fields_each_once() -> None:
    """At most eight, as each costs a row per delivery."""
    with pytest.raises(InvalidInput, match="at most 8"):
        pointer.check_all("flows.leads.search", tuple(f"/{number}" for number in range(9)))
    with pytest.raises(InvalidInput, match="each field once"):
        pointer.check_all("flows.leads.search", ("/a", "/a"))
    pointer.check_all("flows.leads.search", ("/a", "/b"))
