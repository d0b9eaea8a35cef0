"""The language of searches: what queries mean, what is refused and how; nothing breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidInput, QueryError
from holdfast.model.delivery import Delivery, Status
from holdfast.model.search import HIGHEST, LOWEST, Choice, Predicate, Search, Span, bounds
from holdfast.policy import search
from holdfast.store import Counts

NOW = 1_767_225_600_000
HOUR = 3_600_000


def token(name: str, word: str) -> tuple[bytes, ...]:
    """Return one token per word."""
    return (f"{name}={word}".encode("utf-8", "surrogatepass"),)


def parse(text: str) -> Predicate:
    """Return what a query means, with two search fields."""
    return search.parse(text, NOW, fields=("/email", "/a~1b"), digest=token)


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("", Predicate()),
        ("  \n", Predicate()),
        ("status:dead", Predicate((Choice("status", ("dead",)),))),
        ("status:dead,pending", Predicate((Choice("status", ("dead", "pending")),))),
        ("-class:auth", Predicate((Choice("class", ("auth",), negated=True),))),
        ('recipient:"a b",c', Predicate((Choice("recipient", ("a b", "c")),))),
        ("code:HARD code", Predicate((Choice("code", ("HARD",)),), texts=("code",))),
        ("http:503", Predicate(spans=(Span("http", 503, 503),))),
        ("http:>=500", Predicate(spans=(Span("http", 500, HIGHEST),))),
        ("attempts:>3", Predicate(spans=(Span("attempts", 4, HIGHEST),))),
        ("attempts:<3", Predicate(spans=(Span("attempts", LOWEST, 2),))),
        ("-priority:2..5", Predicate(spans=(Span("priority", 2, 5, negated=True),))),
        ("value:-2.5..10", Predicate(spans=(Span("value", -2.5, 10),))),
        ("age:1h..2h", Predicate(spans=(Span("created", NOW - 2 * HOUR, NOW - HOUR),))),
        ("age:<=1h", Predicate(spans=(Span("created", NOW - HOUR, HIGHEST),))),
        ("age:>=0.5h", Predicate(spans=(Span("created", LOWEST, NOW - HOUR / 2),))),
        ('"say \\"no\\" \\\\ to" it', Predicate(texts=('say "no" \\ to', "it"))),
        ("/email:Ada@Example.com", Predicate(tokens=((b"/email=ada@example.com",),))),
        ("/email:a,b", Predicate(tokens=((b"/email=a", b"/email=b"),))),
        ("/a~1b:5.0", Predicate(tokens=((b"/a~1b=5",),))),
    ],
    ids=str,
)
def test_queries_mean(text: str, predicate: Predicate) -> None:
    """Each form of the language alone."""
    assert parse(text) == predicate


@pytest.mark.parametrize(
    ("text", "position", "qualifier", "allowed"),
    [
        ("status:deaf", 8, "status", "pending, delivered, dead, discarded"),
        ("status:dead,x", 13, "status", "pending, delivered, dead, discarded"),
        ("flow:a class:odd", 14, "class", "timeout, connect"),
        ("colour:red", 1, "qualifier", "status, recipient, flow"),
        ("colour:red", 1, "qualifier", "/email"),
        ("http:99", 6, "http", "100 to 599"),
        ("http:5xx", 6, "http", "500..599"),
        ("http:599..500", 6, "http", "the lower number first"),
        ("age:5", 5, "age", "units: s, m, h, d, w"),
        ("age:-5h", 5, "age", "units"),
        ("attempts:1.5", 10, "attempts", "1..5"),
        ("value:1e9", 7, "value", "15 digits"),
        ("http:500,503", 10, "http", "500..599"),
        ("status:dead status:pending", 13, "status", "status:one,other"),
        ("age:>1h age:<2h", 9, "age", "1d..2d"),
        ('flow:"open', 6, "text", 'a closing "'),
        ('flow:a"b"', 7, "text", "a comma and a word"),
        ("flow:", 6, "word", "1 to 512 characters"),
        ("flow:a,", 8, "word", "1 to 512 characters"),
        ("-", 2, "word", "1 to 512 characters"),
        ("-text", 1, "text", "a qualifier and a colon"),
        ("a,b", 1, "text", "a qualifier and a colon"),
        ("/phone:1", 1, "field", "/email"),
        ("-/email:a", 1, "/email", "cannot be negated"),
        ("flow:a\x00", 7, "text", "printable"),
        ("x" * 2001, 2001, "length", "2000"),
        (" ".join("x" * 33), 65, "terms", "at most 32"),
        ("flow:" + ",".join("x" * 51), 106, "words", "at most 50"),
    ],
)
def test_what_is_wrong_is_named(text: str, position: int, qualifier: str, allowed: str) -> None:
    """The error has the place, the qualifier and what is allowed."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert (caught.value.position, caught.value.qualifier) == (position, qualifier)
    assert allowed in caught.value.allowed
    assert f"character {position}" in str(caught.value)


def test_without_search_fields_the_error_says_where_they_are_set() -> None:
    """A person who guesses a field learns of the setting."""
    with pytest.raises(QueryError, match=r"flows\.NAME\.search"):
        search.parse("/email:a", NOW, digest=token)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but `QueryError` comes out, and its place lies within the text or just behind."""
    try:
        position = len(parse(text).texts) and 1
    except QueryError as error:
        position = error.position
    assert 0 <= position <= len(text) + 1


ATOMS = st.sampled_from(
    ["status:", "dead", "pending", "-", '"', "\\", ",", ":", " ", "http:", ">=", "500", "..",
     "age:", "1h", "/email:", "a'b", "--", ";", "%", "value:", "-1", "recipient:",
     "class:timeout", "é"]
)  # fmt: skip


@given(st.lists(ATOMS, max_size=20).map("".join))
def test_any_mixture_of_its_parts_is_read_or_refused(text: str) -> None:
    """Mixtures of real parts find what random text does not."""
    try:
        found = parse(text)
    except QueryError:
        return
    names = [(each.field, each.negated) for each in found.choices]
    names += [(each.field, each.negated) for each in found.spans]  # type: ignore[misc]
    assert len(set(names)) == len(names)


def test_predicates_are_joined_but_never_contradict() -> None:
    """A query and single filters hold together; one field said twice is refused."""
    dead = parse("status:dead age:>1h")
    other = Predicate((Choice("flow", ("leads",)),))
    joined = search.both(dead, other)
    assert joined.choices == (*dead.choices, *other.choices)
    assert joined.spans == dead.spans
    with pytest.raises(InvalidInput, match="status"):
        search.both(dead, Predicate((Choice("status", ("dead",)),)))
    with pytest.raises(InvalidInput, match="created"):
        search.both(dead, Predicate(spans=(Span("created", 5),)))


def test_a_status_beside_a_group_says_which_of_it() -> None:
    """A group alone means what fails; that is no contradiction to a filter of its own."""
    dead = Choice("status", ("dead",))
    group = Choice("group", ("fp_1",))
    assert search.both(parse("group:fp_1"), Predicate((dead,))).choices == (group, dead)
    with pytest.raises(InvalidInput, match="status"):
        search.both(parse("group:fp_1 status:pending"), Predicate((dead,)))


def test_the_time_of_acceptance_bounds_the_ids() -> None:
    """Ids begin with it: both ends are exact, and narrower bounds of the caller stay."""
    where = parse("age:1h..2h")
    floor, below = f"dlv_{NOW - 2 * HOUR:012x}", f"dlv_{NOW - HOUR + 1:012x}"
    assert bounds(where) == (floor, below)
    asked = search.narrowed(Search(where, below="dlv_01", floor="dlv_0"))
    assert (asked.floor, asked.below) == (floor, "dlv_01")
    assert bounds(parse("-age:1h..2h")) == (None, None)
    assert bounds(parse("status:dead")) == (None, None)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 21),
        ("status:dead", 5),
        ("status:dead recipient:a", 2),
        ("status:dead,pending -recipient:b", 3),
        ("-status:dead", 16),
        ("recipient:nobody", 0),
    ],
)
def test_counters_count_what_they_can(text: str, number: int) -> None:
    """Status and recipient, plain or negated."""
    counts = {
        "a": Counts(created=13, pending=1, delivered=10, dead=2),
        "b": Counts(created=8, discarded=5, dead=3),
    }
    where = parse(text)
    assert search.by_counters(where)
    assert search.counted(where, counts) == number


@pytest.mark.parametrize("text", ["flow:a", "http:503", "words", "/email:a", "status:dead age:>1h"])
def test_counters_do_not_know_everything(text: str) -> None:
    """Whatever else is asked must be looked at."""
    assert not search.by_counters(parse(text))


def test_absent_values_lie_nowhere() -> None:
    """Without a class or an HTTP status it is in no choice and span, but in each negated one."""
    delivery = Delivery(
        "dlv_1", "msg_1", "acme", "leads", "one", "north", 5, None, False, 0, NOW,  # noqa: FBT003
        status=Status.PENDING,
    )  # fmt: skip
    for text, holds in (
        ("class:timeout", False),
        ("-class:timeout", True),
        ("http:100..599", False),
        ("-http:100..599", True),
        ("gate:rate", False),
    ):
        assert search.matches(parse(text), delivery, 0.0, ()) is holds, text
