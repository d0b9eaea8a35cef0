"""SIGTERM: what is on the wire may finish, what takes too long is given back, nothing is lost."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from holdfast.testing.partner import Act, Partner, Pause, Seen, Silence, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from tests.acceptance.conftest import Holdfast, Launch

pytestmark = pytest.mark.slow

MESSAGES: Final = 12
CONFIG: Final = """
[engine]
shutdown_seconds = 3.0
[recipients.{name}]
url = "{url}"
allow_private = true
concurrency = 4
[flows.{name}]
[[flows.{name}.steps]]
recipient = "{name}"
"""


class Host:
    """A partner that keeps requests until it is told to answer."""

    def __init__(self, *, answers: bool) -> None:
        self.go = threading.Event()
        self._answers = answers

    def __call__(self, seen: Seen) -> Iterable[Act]:
        """Wait for the word, then answer; the one that does not answer is silent until then."""
        del seen
        while not self.go.is_set():
            yield Pause(0.05)
        if self._answers:
            yield answer(200)


def keys(partner: Partner) -> Counter[str]:
    """Return how often each delivery arrived."""
    return Counter(seen.headers["idempotency-key"] for seen in partner.seen)


@pytest.fixture
def quick() -> Host:
    """Return a host whose answers come during the shutdown."""
    return Host(answers=True)


@pytest.fixture
def partner(quick: Host) -> Iterator[Partner]:
    """Run the partner."""
    with Partner(quick) as running:
        yield running


@pytest.fixture
def holdfast(launch: Launch, partner: Partner, tmp_path: Path) -> Iterator[Holdfast]:
    """Run one whose sends are under way."""
    with launch(tmp_path, CONFIG.format(name="acme", url=partner.url)) as made:
        made.up()
        yield made


def begun(holdfast: Holdfast, partner: Partner, wait_until: Callable[..., Any]) -> list[str]:
    """Post, and wait until four sends are on the wire."""
    ids = [holdfast.send("acme", {"n": n})[0] for n in range(MESSAGES)]
    wait_until(lambda: len(partner.seen) == 4, "four sends are under way")
    return ids


def test_sends_under_way_finish(
    holdfast: Holdfast, partner: Partner, quick: Host, wait_until: Callable[..., Any]
) -> None:
    """Asked to stop, it waits for the four answers, sends nothing new, and ends with 0."""
    ids = begun(holdfast, partner, wait_until)
    asked = threading.Timer(0.5, quick.go.set)
    asked.start()
    assert holdfast.stop() == 0
    asked.join()
    assert len(partner.seen) == 4
    (stopped,) = holdfast.events("stopped")
    assert stopped["gave_back"] == 0
    with holdfast.stored() as connection:
        found = Counter(status for (status,) in connection.execute("SELECT status FROM deliveries"))
        assert found == {"delivered": 4, "pending": MESSAGES - 4}
        assert connection.execute("SELECT clean FROM owner").get == 1
    holdfast.up()
    wait_until(lambda: holdfast.totals()["delivered"] == MESSAGES, "the rest is delivered")
    assert keys(partner) == dict.fromkeys(ids, 1)
    assert_clean_start(holdfast)


def test_sends_that_take_too_long_are_given_back(
    holdfast: Holdfast, partner: Partner, quick: Host, wait_until: Callable[..., Any]
) -> None:
    """After `shutdown_seconds` they are cut, in doubt, without using a retry; then sent again."""
    ids = begun(holdfast, partner, wait_until)
    assert holdfast.stop() == 0
    (stopped,) = holdfast.events("stopped")
    assert stopped["gave_back"] == 4
    with holdfast.stored() as connection:
        rows = connection.execute(
            "SELECT in_doubt, counted, attempts, hold_gate FROM deliveries WHERE attempts > 0"
        ).fetchall()
        assert rows == [(1, 0, 1, "shutdown")] * 4
        assert connection.execute("SELECT clean FROM owner").get == 1
    quick.go.set()
    holdfast.up()
    wait_until(lambda: holdfast.totals()["delivered"] == MESSAGES, "all is delivered")
    cut = {seen.headers["idempotency-key"] for seen in partner.seen[:4]}
    assert keys(partner) == {one: 1 + (one in cut) for one in ids}
    assert_clean_start(holdfast)
    attempts = holdfast.attempts(next(iter(cut)))
    assert [one["failure_class"] for one in attempts] == ["cancelled", None]
    assert [one["counted"] for one in attempts] == [False, True]


def test_a_message_that_is_being_accepted_is_kept(
    launch: Launch, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Whoever got 202 while it was stopping finds the delivery after the restart."""
    with Partner(lambda _: [Silence()]) as silent:
        config = CONFIG.format(name="acme", url=silent.url).replace("3.0", "0.5")
        with launch(tmp_path, config) as holdfast:
            holdfast.up()
            accepted: list[str] = []
            poster = threading.Thread(target=post_until_refused, args=(holdfast, accepted))
            poster.start()
            wait_until(lambda: len(accepted) > 20, "some are accepted")
            assert holdfast.stop() == 0
            poster.join()
            with holdfast.stored() as connection:
                found = {one for (one,) in connection.execute("SELECT id FROM deliveries")}
            assert set(accepted) <= found


def post_until_refused(holdfast: Holdfast, accepted: list[str]) -> None:
    """Post and note what is accepted, until the API is gone or says that it stops."""
    body = {"payload": {"a": 1}}
    try:
        while (answer := holdfast.post("/v1/flows/acme/messages", body)).status == 202:
            accepted.append(answer.json["deliveries"][0]["id"])
    except OSError:
        return


def assert_clean_start(holdfast: Holdfast) -> None:
    """Check that the last start took nothing for possibly sent."""
    started = holdfast.events("started")[-1]
    assert started["clean"] is True
    lanes = holdfast.get("/v1/recipients")["items"]
    assert lanes
    with holdfast.stored() as connection:
        assert connection.execute("SELECT max(crashes) FROM deliveries").get == 0
        stamps = "SELECT max(coalesce(json_extract(body, '$.stamp'), 0)) FROM lanes"
        assert connection.execute(stamps).get in {0, None}
