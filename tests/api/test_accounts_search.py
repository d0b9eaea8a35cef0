"""Whatever is searched for, an account finds what is its own, all of it, and nothing else."""

import re
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.api.test_accounts import CATALOG, ROOT

from holdfast.access.house import House
from holdfast.access.passwords import Passwords
from holdfast.api import Api
from holdfast.config import Config, load
from holdfast.model.access import Role
from holdfast.model.submission import Submission
from holdfast.testing.channel import always
from holdfast.testing.clock import run
from holdfast.testing.people import CHEAP
from holdfast.testing.rig import Rig, receipts, running

SENT: Final = 3
QUERIES: Final = 40
"""In one example, so that one engine answers them all."""
IDS: Final = re.compile(r"\b(?:dlv|msg|evt|g1)_\w+")
CHOICES: Final = {
    "account": ("ours", "theirs", "default", '""', "*"),
    "status": ("pending", "dead", "delivered", "discarded"),
    "recipient": ("near", "secretco"),
    "flow": ("inbox", "hidden"),
    "step": ("near", "secretco"),
    "class": ("data", "auth", "unknown"),
    "code": ("HTTP_422", "422", "x"),
    "assignee": ("nobody", "ada"),
    "id": ("dlv_0", "THEIRS"),
    "http": ("422", ">=400", "100..599"),
    "attempts": (">0", "1", "<9"),
    "age": ("<1d", ">1s"),
    "priority": (">=0", "5"),
}
_WORDS: Final = st.sampled_from(('"422"', "secretco", "or", "OR", "account", "(", ")", "%", "'"))


def _terms(name: str) -> st.SearchStrategy[str]:
    words = st.lists(st.sampled_from(CHOICES[name]), min_size=1, max_size=3)
    return st.tuples(st.sampled_from(("", "-")), words).map(
        lambda drawn: f"{drawn[0]}{name}:{','.join(drawn[1])}"
    )


SEARCHES: Final = st.lists(
    st.one_of(st.sampled_from(sorted(CHOICES)).flatmap(_terms), _WORDS, st.text(max_size=6)),
    max_size=4,
).map(" ".join)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Two accounts with a flow and a recipient each."""
    path: Path = tmp_path_factory.mktemp("accounts") / "holdfast.toml"
    path.write_text(CATALOG)
    return load(path, {})


class Bench:
    """A real engine with deliveries of two accounts, and a client for one and for all of them."""

    def __init__(self, rig: Rig, config: Config) -> None:
        self.rig = rig
        house = House(
            rig.store,
            rig.clock,
            config.catalog,
            digest=rig.vault.digest,
            passwords=Passwords(CHEAP),
        )
        self._staff = house.staff
        self._app: Any = Api(rig.engine, config, house)
        self.theirs: set[str] = set()

    async def client(self, account: str | None) -> httpx.AsyncClient:
        """Return a client with an admin's token."""
        made = await self._staff.add_token(
            "t", Role.SYSTEM_ADMIN, account, only=(), days=None, by=ROOT, why="a test"
        )
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app),
            base_url="http://127.0.0.1:8420",
            headers={"authorization": f"Bearer {made.secret}"},
        )

    async def fill(self) -> None:
        """Send to both; every delivery is refused, and dead."""
        for flow, account in (("inbox", "ours"), ("hidden", "theirs")):
            body = [Submission(payload=msgspec.Raw(b'{"a":1}'))] * SENT
            found = receipts(await self.rig.engine.intake.accept(flow, body, account=account))
            if account == "theirs":
                self.theirs |= {one.message_id for one in found}
        await self.rig.wait(60)
        for one in await self.rig.deliveries():
            if one.account == "theirs":
                self.theirs |= {one.id, one.fingerprint or one.id}
        for event in await self.rig.events():
            if event["account"] == "theirs":
                self.theirs.add(str(event["event_id"]))


async def check(one: httpx.AsyncClient, whole: httpx.AsyncClient, q: str, bench: Bench) -> None:
    """Ask every route that searches; compare the list with what all accounts' token finds."""
    asked = {"q": q}
    list_ = await one.get("/v1/deliveries", params=asked)
    everything = await whole.get("/v1/deliveries", params={**asked, "limit": 100})
    assert list_.status_code == everything.status_code, (q, list_.text)
    order = {"kind": "redrive", "q": q, "reason": "x"}
    answers = [
        list_,
        await one.get("/v1/deliveries/count", params=asked),
        await one.post("/v1/operations/preview", json=order),
        await one.get("/v1/groups", params={**asked, "status": "open,resolved,ignored"}),
        await one.get("/v1/groups", params={**asked, "by": "recipient"}),
        await one.get("/v1/review", params=asked),
    ]
    echo = msgspec.json.encode(q).decode()[1:-1]  # a group repeats what was asked
    for answer in answers:
        if answer.is_success:
            shown = answer.text.replace(echo, "") if q.strip() else answer.text
            assert not set(IDS.findall(shown)) & bench.theirs, (q, answer.url, answer.text)
            assert "secretco" not in shown, (q, answer.url, answer.text)
    if not list_.is_success:
        return
    own = [e["id"] for e in everything.json()["items"] if e["account"] == "ours"]
    assert [each["id"] for each in list_.json()["items"]] == own, q
    assert answers[1].json()["count"] == len(own), q
    if answers[2].is_success:
        assert answers[2].json()["count"] <= len(own), q


@pytest.mark.slow
@settings(
    max_examples=8,
    phases=(Phase.generate,),  # a smaller example costs a minute each
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.large_base_example],
)
@given(searches=st.lists(SEARCHES, min_size=QUERIES, max_size=QUERIES))
def test_no_search_leaves_the_account(config: Config, searches: list[str]) -> None:
    """List, count, preview of an operation, groups, review: some hundred queries, real SQLite."""
    rig = Rig(config.catalog, always(422))

    async def main() -> None:
        async with running(rig):
            bench = Bench(rig, config)
            await bench.fill()
            assert bench.theirs
            one, whole = await bench.client("ours"), await bench.client(None)
            async with one, whole:
                for q in searches:
                    told = q.replace("THEIRS", min(bench.theirs))
                    await check(one, whole, told, bench)
                for params in ({}, {"recipient": "secretco"}, {"limit": "1000"}):
                    events = await one.get("/v1/events", params=params)
                    assert not set(IDS.findall(events.text)) & bench.theirs
                    assert "secretco" not in events.text

    run(main(), rig.clock)
