"""A full disk, or a used up quota: intake stops at the reserve, the rest goes on (S5.41)."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from holdfast.testing.partner import Act, Partner, Seen, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Holdfast, Launch

pytestmark = pytest.mark.slow

MIB: Final = 1 << 20
GOOD: Final = "/v1/flows/good/messages"
PICKY: Final = 3
CONFIG: Final = """
[store]
{room}
reserve_bytes = {reserve}
[policy]
initial_delay = 1
strategy = "fixed"
max_retries = 1000
[limits]
max_retries = [1, 1000]
[recipients.good]
url = "{url}"
allow_private = true
[recipients.picky]
url = "{url}/picky"
allow_private = true
breaker = {{enabled = false}}
[flows.good]
[[flows.good.steps]]
recipient = "good"
[flows.picky]
[[flows.picky.steps]]
recipient = "picky"
"""
RNG: Final = random.Random(1)


class Moods:
    """A partner that refuses on /picky until it is told otherwise."""

    def __init__(self) -> None:
        self.content = False

    def __call__(self, seen: Seen) -> Iterable[Act]:
        """Answer by mood."""
        refuses = "picky" in seen.target and not self.content
        return [answer(503 if refuses else 200)]


@pytest.fixture
def moods() -> Moods:
    """Return the partner's script."""
    return Moods()


@pytest.fixture
def partner(moods: Moods) -> Iterator[Partner]:
    """Run the partner."""
    with Partner(moods) as running:
        yield running


def fill(holdfast: Holdfast, size: int, wait_until: Callable[..., Any]) -> tuple[list[str], Any]:
    """Post until it is refused for good; return what was accepted and the refusal."""
    accepted: list[str] = []

    def full() -> Any:
        while (given := holdfast.post(GOOD, {"payload": {"text": noise(size)}})).status == 202:
            accepted.append(given.json["deliveries"][0]["id"])
        # What waits has room set aside; that room may come back once it is settled.
        settled = holdfast.totals()["pending"] == PICKY
        return given if settled and holdfast.call("GET", "/readyz").status == 503 else None

    return accepted, wait_until(full, "it is full")


def noise(size: int) -> str:
    """Return text that cannot be packed to less than half."""
    return RNG.randbytes(size // 2).hex()


def assert_full(refusal: Any) -> None:
    """Check that a refusal says that there is no room, and what to do."""
    assert refusal is not None, "it never was full"
    assert (refusal.status, refusal.headers["content-type"]) == (507, "application/problem+json")
    assert refusal.json["code"] == "STORAGE_FULL"


def assert_all_there(holdfast: Holdfast, accepted: list[str]) -> None:
    """Check that everything accepted is there, delivered, and the sums are right."""
    totals = holdfast.totals()
    assert totals["created"] == sum(totals[f] for f in totals if f != "created")
    with holdfast.stored() as connection:
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        rows = dict(connection.execute("SELECT id, status FROM deliveries"))
    assert {rows.get(one) for one in accepted} == {"delivered"}


def assert_retried(holdfast: Holdfast, ids: list[str], wait_until: Callable[..., Any]) -> None:
    """Check that retries go on."""
    before = {one: holdfast.delivery(one)["attempts"] for one in ids}
    wait_until(
        lambda: all(holdfast.delivery(one)["attempts"] > before[one] for one in ids),
        "retries go on",
    )


def test_a_quota(
    launch: Launch, partner: Partner, moods: Moods, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """At the reserve 507; retries and settlements go on; after a purge it accepts again."""
    config = CONFIG.format(room=f"quota_bytes = {5 * MIB}", reserve=MIB, url=partner.url)
    with launch(tmp_path, config) as holdfast:
        holdfast.up()
        picky = [holdfast.send("picky", {"n": n})[0] for n in range(PICKY)]
        accepted, refusal = fill(holdfast, 20_000, wait_until)
        assert_full(refusal)
        assert "holdfast purge" in refusal.json["detail"]
        assert_retried(holdfast, picky, wait_until)
        moods.content = True
        wait_until(lambda: holdfast.totals()["pending"] == 0, "settlements go on")
        assert_full(holdfast.post(GOOD, {"payload": {}}))
        with holdfast.stored() as connection:
            pages = connection.execute("PRAGMA page_count").get
            assert pages * connection.execute("PRAGMA page_size").get <= 5 * MIB
        assert_all_there(holdfast, accepted + picky)
        purge = {"older_than_ms": 0, "reason": "test"}
        assert holdfast.post("/v1/purge", purge).json["payloads"] == len(accepted + picky)
        wait_until(lambda: holdfast.post(GOOD, {"payload": {}}).status == 202, "it accepts again")
        assert holdfast.events("store_full")
        assert holdfast.events("store_recovered")
        assert holdfast.stop() == 0


def test_a_fast_client_cannot_use_up_the_reserve(
    launch: Launch, partner: Partner, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Between two looks at the disk intake counts for itself: what it took can be settled."""
    config = CONFIG.format(room=f"quota_bytes = {4 * MIB}", reserve=MIB, url=partner.url)
    with launch(tmp_path, config) as holdfast:
        holdfast.up()
        lines = b"\n".join([b'{"payload": {"text": "%s"}}' % noise(300).encode()] * 1000)
        headers = {"Content-Type": "application/x-ndjson"}
        accepted: list[str] = []
        for _ in range(5):
            answer = holdfast.call("POST", f"{GOOD}/batch", lines, headers)
            found = [json.loads(line) for line in answer.body.splitlines()]
            good = [one for one in found if one["status"] == 202]
            assert {one["status"] for one in found} <= {202, 507}
            accepted += [one["deliveries"][0]["id"] for one in good]
        assert 500 < len(accepted) < 5000
        wait_until(lambda: holdfast.totals()["pending"] == 0, "everything is settled")
        assert_all_there(holdfast, accepted)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Mount a small file system on a folder; False where we may not."""
    options = ["-t", "tmpfs", "-o", f"size={size},mode=0700", "none", str(folder)]
    mount = shutil.which("mount")
    mounted = mount is not None and subprocess.run([mount, *options], check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_without_a_byte_left(
    launch: Launch, partner: Partner, moods: Moods, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """When the reserve is gone, too, sending holds; with room again everything is delivered.

    Where no file system can be mounted, a huge reserve shows that the real disk is looked at.
    """
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with small_disk(data, 32 * MIB) as mounted:
        reserve = 24 * MIB if mounted else shutil.disk_usage(data).free
        config = CONFIG.format(room="", reserve=reserve, url=partner.url)
        with launch(tmp_path, config) as holdfast:
            holdfast.up()
            if not mounted:
                assert_full(fill_once(holdfast, wait_until))
                return
            picky = [holdfast.send("picky", {"n": n})[0] for n in range(PICKY)]
            accepted, refusal = fill(holdfast, 200_000, wait_until)
            assert_full(refusal)
            assert_retried(holdfast, picky, wait_until)
            assert holdfast.stop() == 0
            filler = data / "filler"
            use_up(filler)
            holdfast.start()
            code, said = holdfast.ended()
            assert (code, "no space is left" in said.splitlines()[-1]) == (1, True)
            os.truncate(filler, filler.stat().st_size - MIB // 2)
            holdfast.up()
            wait_until(lambda: sent_stops(partner, wait_until), "sending holds")
            assert_full(holdfast.post(GOOD, {"payload": {}}))
            assert holdfast.call("GET", "/healthz").status == 200
            moods.content = True
            filler.unlink()
            wait_until(lambda: holdfast.totals()["pending"] == 0, "everything is delivered")
            assert_all_there(holdfast, accepted + picky)
            assert holdfast.stop() == 0


def fill_once(holdfast: Holdfast, wait_until: Callable[..., Any]) -> Any:
    """Return the first refusal."""
    return wait_until(
        lambda: next(
            (a for _ in [0] if (a := holdfast.post(GOOD, {"payload": {}})).status != 202), None
        ),
        "it is full",
    )


def use_up(filler: Path) -> None:
    """Write until nothing fits any more."""
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def sent_stops(partner: Partner, wait_until: Callable[..., Any]) -> bool:
    """Tell whether nothing arrives for as long as several retries would take."""
    before, pauses = len(partner.seen), iter(range(150))
    wait_until(lambda: next(pauses, None) is None, "a while")
    return len(partner.seen) == before
