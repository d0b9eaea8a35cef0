"""What searches find, count and page through, compared with what a predicate means in Python."""

from random import Random
from typing import Any, Final

import msgspec
import pytest

from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.search import Choice, Predicate, Search, Span, Total, of_message
from holdfast.policy.search import matches, parse
from holdfast.store import Accept, Batch, Retention
from holdfast.testing.store_suite.case import DAY, NOW, Case, Suite

ENDS: Final = (None, Verb.SUCCEED, Verb.DIE, Verb.CANCEL)
REASONS: Final = (None, "Timeout while reading", "schema: field 'tax_id' is ÄRGERLICH", "100%_off")
QUERIES: Final = (
    "",
    "status:dead",
    "status:delivered",
    "status:dead,pending",
    "-status:dead",
    "status:dead recipient:north",
    "status:dead class:server",
    "status:discarded flow:leads -recipient:north",
    "recipient:north",
    "recipient:north,east flow:other",
    "flow:other",
    "class:server",
    "class:server,timeout",
    "-class:server",
    "code:RETRY_LIMIT_EXCEEDED",
    "-code:RETRY_LIMIT_EXCEEDED",
    "group:g1_a",
    "group:g1_a,g1_b status:dead",
    "status:delivered group:g1_a",
    "-group:g1_a",
    "status:dead group:g1_b recipient:north",
    "assignee:bea",
    "assignee:nobody status:dead",
    "-assignee:bea,nobody",
    "parent:dlv_0,dlv_1",
    "gate:not_before",
    "-gate:not_before",
    "step:one account:acme",
    "-account:acme",
    "http:503",
    "http:>=500 status:dead",
    "-http:500..599",
    "attempts:>2",
    "-attempts:0..1",
    "priority:>=7",
    "value:12.5",
    "value:>12.5 status:dead",
    "-value:0..20",
    "age:>3s",
    "age:<3s status:dead",
    "-age:2s..4s",
    "timeout",
    '"TIMEOUT while" reading',
    '"100%_"',
    "Ärgerlich",
    "/email:ada@example.com",
    "/email:ada@example.com,bob@example.com",
    "/email:bob@example.com status:dead",
    "/email:ada@example.com /state:tx",
    "/state:tx recipient:north",
    "/state:nowhere",
)
FIELDS: Final = ("/email", "/state")


def token(pointer: str, word: str) -> bytes:
    """Return a token as tests make them."""
    return f"{pointer}={word}".encode().ljust(16, b"\x00")[:16]


def where(text: str) -> Predicate:
    """Return what a query means in these tests."""
    return parse(text, NOW + 6_000, fields=FIELDS, digest=lambda name, word: (token(name, word),))


class Mixture:
    """Deliveries of every kind, and what is known of each."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.deliveries: list[Delivery] = []
        self.values: dict[str, float] = {}
        self.tokens: dict[str, tuple[bytes, ...]] = {}

    async def fill(self, number: int, seed: int) -> None:
        """Take deliveries and let them end in every way."""
        rng = Random(seed)
        for index in range(number):
            self._case.now = NOW + index * 6_000 // number
            await self._take(rng)

    async def _take(self, rng: Random) -> None:
        case = self._case
        account = rng.choice(("acme", "acme", "bolt"))
        flow = rng.choice(("leads", "other"))
        value = rng.choice((0.0, 12.5, 125.0))
        message = case.message(account=account, flow=flow, value=value)
        words = (("/email", rng.choice(("ada@example.com", "bob@example.com"))), ("/state", "tx"))
        tokens = tuple(token(*each) for each in words[: rng.randrange(3)])
        delivery = case.delivery(
            message, recipient=rng.choice(("north", "east")), priority=rng.randrange(10)
        )
        await case.commit(accepts=(Accept(message, (delivery,), tokens=tokens),))
        delivery = await case.change(delivery, Verb.RETRY, Result.ERROR, **self._failure(rng))
        verb = rng.choice(ENDS)
        if verb is not None:
            code = "RETRY_LIMIT_EXCEEDED" if verb is Verb.DIE else None
            delivery = await case.change(delivery, verb, code=code)
        self.deliveries.insert(0, delivery)
        self.values[delivery.id] = value
        self.tokens[delivery.id] = tokens

    def _failure(self, rng: Random) -> dict[str, Any]:
        return {
            "failure_class": rng.choice((None, "server", "timeout")),
            "http_status": rng.choice((None, 404, 500, 503)),
            "reason": rng.choice(REASONS),
            "attempts": rng.randrange(5),
            "hold_gate": rng.choice((None, "not_before")),
            "fingerprint": rng.choice((None, "g1_a", "g1_b")),
            "assignee": rng.choice((None, None, "bea")),
        }

    def expected(self, predicate: Predicate) -> list[Delivery]:
        """Return what a predicate means, newest first."""
        return [
            each
            for each in self.deliveries
            if matches(predicate, each, self.values[each.id], self.tokens[each.id])
        ]


async def paged(case: Case, search: Search) -> list[Delivery]:
    """Return the pages of a search, joined."""
    found: list[Delivery] = []
    cursor: str | None = None
    while True:
        page = await case.store.find(msgspec.structs.replace(search, below=cursor))
        found += page.deliveries
        if page.cursor is None:
            return found
        assert cursor is None or page.cursor < cursor
        cursor = page.cursor


class SearchingSuite(Suite):
    """`find` and `count`."""

    @pytest.fixture
    async def mixture(self, case: Case) -> Mixture:
        """Return the store's case with sixty deliveries of every kind."""
        mixture = Mixture(case)
        await mixture.fill(60, seed=1)
        return mixture

    async def test_a_search_finds_what_its_predicate_means(
        self, case: Case, mixture: Mixture
    ) -> None:
        """Each query alone: newest first, in one page, in small ones, and with few looks each."""
        for query in QUERIES:
            predicate = where(query)
            expected = mixture.expected(predicate)
            assert (await case.store.find(Search(predicate))).deliveries == expected, query
            assert await paged(case, Search(predicate, limit=4)) == expected, query
            assert await paged(case, Search(predicate, limit=4, look=5)) == expected, query

    async def test_a_count_is_the_number_of_what_is_found(
        self, case: Case, mixture: Mixture
    ) -> None:
        """Where not all was looked at it says so, and never counts too many."""
        for query in QUERIES:
            predicate = where(query)
            number = len(mixture.expected(predicate))
            assert await case.store.count(Search(predicate, limit=3)) == Total(number), query
            few = await case.store.count(Search(predicate, look=7))
            assert few.count <= number, query
            assert few.more or few.count == number, query

    async def test_a_page_looks_at_few_rows_and_says_where_it_stopped(self, case: Case) -> None:
        """A rare match far back costs several short pages, not a long one."""
        rare = await case.take(priority=9)
        for _ in range(20):
            await case.take(priority=1)
        search = Search(where("priority:9"), look=8)
        first = await case.store.find(search)
        assert first.deliveries == []
        assert first.cursor is not None
        assert await paged(case, search) == [rare]

    async def test_the_account_bounds_every_search(self, case: Case, mixture: Mixture) -> None:
        """Whatever is asked, only its own deliveries are found and counted."""
        for query in QUERIES:
            predicate = where(query)
            own = [each for each in mixture.expected(predicate) if each.account == "bolt"]
            search = Search(predicate, account="bolt")
            assert (await case.store.find(search)).deliveries == own, query
            assert await case.store.count(search) == Total(len(own)), query

    async def test_random_predicates_mean_the_same_everywhere(
        self, case: Case, mixture: Mixture
    ) -> None:
        """Terms joined at random, with words that try to be SQL, stay inside their account."""
        rng = Random(2)
        for _ in range(150):
            predicate = _random(rng)
            own = [each for each in mixture.expected(predicate) if each.account == "acme"]
            search = Search(predicate, account="acme", limit=rng.randint(1, 70))
            assert await paged(case, search) == own, predicate
            assert await case.store.count(search) == Total(len(own)), predicate

    async def test_find_by_message_returns_its_deliveries(self, case: Case) -> None:
        """Those of other messages are not returned."""
        chain = await case.take_chain("north", "east")
        await case.take()
        found = await case.store.find(Search(of_message(chain[0].message_id)))
        assert found.deliveries == chain[::-1]
        assert found.cursor is None

    async def test_ids_bound_a_search(self, case: Case) -> None:
        """From `floor` on, below `below`."""
        taken = [await case.take() for _ in range(5)]
        search = Search(floor=taken[1].id, below=taken[4].id)
        assert (await case.store.find(search)).deliveries == taken[3:0:-1]
        assert await case.store.count(search) == Total(3)

    async def test_search_fields_go_with_the_payload(self, case: Case) -> None:
        """A purge of payloads, or of rows, leaves no token that finds what it purged."""
        found = Search(where("/email:ada@example.com"))
        tokens = (token("/email", "ada@example.com"),)
        taken = []
        for key in ("one", None):
            message = case.message(key=key)
            delivery = case.delivery(message)
            await case.commit(accepts=(Accept(message, (delivery,), tokens=tokens),))
            taken.append(await case.change(delivery, Verb.CANCEL))
        kept = case.message()
        waits = case.delivery(kept)
        await case.commit(accepts=(Accept(kept, (waits,), tokens=tokens),))
        assert len((await case.store.find(found)).deliveries) == 3
        await case.store.prune(NOW, Retention(payloads=NOW + DAY))
        assert (await case.store.find(found)).deliveries == [waits]
        await case.change(waits, Verb.CANCEL)
        await case.store.prune(NOW, Retention(rows=NOW + DAY))
        assert (await case.store.find(found)).deliveries == []

    async def test_a_duplicate_writes_no_tokens(self, case: Case) -> None:
        """A key that is known, and a batch that is committed again, add nothing to the index."""
        message = case.message(key="k")
        delivery = case.delivery(message)
        accept = Accept(message, (delivery,), tokens=(token("/state", "tx"),))
        await case.commit(accepts=(accept,))
        await case.store.commit(Batch(case.epoch, NOW, (accept,)))
        again = case.message(key="k")
        other = Accept(again, (case.delivery(again),), tokens=(token("/state", "ca"),))
        await case.commit(accepts=(other,))
        assert await case.store.count(Search(where("/state:tx"))) == Total(1)
        assert await case.store.count(Search(where("/state:ca"))) == Total(0)


HOSTILE: Final = (
    "'; DROP TABLE deliveries; --",
    "%",
    "_",
    '"',
    "\\",
    "acme' OR '1'='1",
    ":account",
)


def _random(rng: Random) -> Predicate:
    """Return a predicate of random terms."""
    words: dict[str, tuple[str, ...]] = {
        "status": tuple(Status),
        "recipient": ("north", "east"),
        "flow": ("leads", "other"),
        "account": ("acme", "bolt"),
        "class": ("server", "timeout"),
        "code": ("RETRY_LIMIT_EXCEEDED",),
        "gate": ("not_before",),
        "step": ("one",),
        "group": ("g1_a", "g1_b"),
        "assignee": ("bea", ""),
    }
    spans = {"http": (400, 599), "attempts": (0, 4), "priority": (0, 9), "value": (0, 200)}
    choices = tuple(
        Choice(field, _some(rng, (*known, rng.choice(HOSTILE))), negated)  # type: ignore[arg-type]
        for field, known in words.items()
        for negated in (False, True)
        if rng.random() < 0.12
    )
    ranges = tuple(
        _span(rng, field, ends, negated=negated)
        for field, ends in spans.items()
        for negated in (False, True)
        if rng.random() < 0.1
    )
    texts = tuple(rng.choice(("time", "TAX_ID", *HOSTILE)) for _ in range(rng.random() < 0.15))
    tokens = tuple(
        tuple(token(name, word) for word in _some(rng, ("ada@example.com", "tx", "ca")))
        for name in FIELDS
        if rng.random() < 0.15
    )
    return Predicate(choices, ranges, texts, tokens)


def _span(rng: Random, field: str, ends: tuple[int, int], *, negated: bool) -> Span:
    low, high = sorted((rng.randint(*ends), rng.randint(*ends)))
    return Span(field, low, high, negated)  # type: ignore[arg-type]


def _some(rng: Random, words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(rng.sample(words, rng.randint(1, min(2, len(words)))))
