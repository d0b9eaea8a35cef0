"""Slots follow the load, and begin with the cores that a container may use."""

import asyncio
from pathlib import Path

import pytest

from holdfast.engine.cores import cores
from holdfast.engine.settings import EngineSettings
from holdfast.model.delivery import Status
from holdfast.testing.channel import Scripted, always
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.rig import Rig, catalog, recipient, running


def rig(*, takes_ms: int, most: int = 256) -> Rig:
    """Return a worker that begins with four slots."""
    return Rig(
        catalog(recipient("acme", concurrency=1000)),
        always(200, takes_ms),
        clock=VirtualClock(),
        settings=EngineSettings(max_in_flight=most),
        first_slots=4,
    )


def test_slots_double_while_work_waits() -> None:
    """Also when no send ends in the meantime; all are open within a fifth of a second."""
    it = rig(takes_ms=10_000)

    async def main() -> None:
        async with running(it):
            await it.send(1000)
            await it.wait(0.01)
            assert len(it.channel.sent) <= 8
            await it.wait(0.2)
            assert it.engine.dispatcher.slots.open == 256
            assert len(it.channel.sent) == 256
            await it.wait(2)
            assert it.engine.dispatcher.slots.short
            assert "holdfast_slots 256.0" in it.engine.views.metrics()
            assert "holdfast_slots_short 1.0" in it.engine.views.metrics()

    run(main(), it.clock)


def test_what_waits_stays_in_the_store_until_it_is_wanted() -> None:
    """However much waits, a worker holds no more than its buffers, and urgent goes first."""
    it = Rig(
        catalog(recipient("down"), recipient("slow", concurrency=2)),
        lambda request, _: Scripted(503 if request.recipient == "down" else 200, takes_ms=20),
        settings=EngineSettings(buffer_rows=8, buffer_total=12),
    )
    held: list[int] = []

    async def main() -> None:
        async with running(it):
            await it.send(400)
            (urgent,) = await it.send(priority=9)
            while it.channel.received.total() < 401:
                held.append(it.engine.dispatcher.buffered + it.engine.dispatcher.unsettled)
                await it.wait(0.02)
            to_slow = [each.message_id for _, each in it.channel.sent if each.recipient == "slow"]
            assert to_slow.index(urgent.message_id) < 20
            waits = await it.deliveries(Status.PENDING)
            assert sum(each.recipient == "down" for each in waits) == 401

    run(main(), it.clock)
    assert max(held) <= 40


def test_the_limit_changes_while_it_runs() -> None:
    """Fewer: nothing new goes out until so few are under way; more: at once (S5.45)."""
    it = rig(takes_ms=1_000)

    async def main() -> None:
        async with running(it):
            await it.send(2_000)
            await it.wait(0.5)
            assert it.engine.dispatcher.unsettled == 256
            it.engine.dispatcher.resize(2)
            await it.wait(1.3)
            assert it.engine.dispatcher.unsettled == 2
            assert (await it.engine.views.overview()).workers[0].slots == 2
            it.engine.dispatcher.resize(64)
            await it.wait(0.5)
            assert it.engine.dispatcher.unsettled == 64

    run(main(), it.clock)


@pytest.mark.slow
def test_slots_go_when_it_is_quiet() -> None:
    """Half after half, down to those of the beginning; a few deliveries do not keep them."""
    it = rig(takes_ms=100)

    async def main() -> None:
        async with running(it):
            await it.send(2000)
            await it.wait(5)
            assert it.engine.dispatcher.slots.open == 256
            busy = asyncio.ensure_future(trickle(it))
            await it.wait(40)
            assert it.engine.dispatcher.slots.open == 128
            await it.wait(6 * 31)
            assert it.engine.dispatcher.slots.open == 4
            assert not it.engine.dispatcher.slots.short
            busy.cancel()

    run(main(), it.clock)


async def trickle(it: Rig) -> None:
    """Send one now and then."""
    while True:
        await it.send()
        await it.wait(0.7)


def test_few_sends_need_no_more_slots() -> None:
    """What four slots can do opens no fifth."""
    it = rig(takes_ms=10)

    async def main() -> None:
        async with running(it):
            for _ in range(20):
                await it.send(3)
                await it.wait(0.1)
            assert it.engine.dispatcher.slots.open == 4
            assert len(it.channel.sent) == 60

    run(main(), it.clock)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a root with the places where Linux tells of control groups."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    return tmp_path


def _member(root: Path, text: str) -> None:
    (root / "proc/self/cgroup").write_text(text)


def test_a_quota_of_cgroup_v2_counts(machine: Path) -> None:
    """The tightest of the group and those above it; `max` is none."""
    free = cores(machine)
    assert free >= 1
    _member(machine, "0::/a.slice/b.scope\n")
    folder = machine / "sys/fs/cgroup/a.slice/b.scope"
    folder.mkdir(parents=True)
    (folder / "cpu.max").write_text("max 100000\n")
    assert cores(machine) == free
    (folder.parent / "cpu.max").write_text("25000 100000\n")
    assert cores(machine) == 0.25
    (folder / "cpu.max").write_text("15000 100000\n")
    assert cores(machine) == 0.15


def test_a_container_sees_its_own_group_at_the_root(machine: Path) -> None:
    """Whatever the path says: it is that of the host."""
    _member(machine, "0::/docker/0123\n")
    (machine / "sys/fs/cgroup/cpu.max").write_text("50000 100000\n")
    assert cores(machine) == 0.5


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_cgroup_v1_counts(machine: Path, controllers: str) -> None:
    """-1 is none; nonsense is none."""
    free = cores(machine)
    _member(machine, f"4:{controllers}:/pod\n3:memory:/pod\n")
    folder = machine / "sys/fs/cgroup" / controllers / "pod"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    assert cores(machine) == free
    (folder / "cpu.cfs_quota_us").write_text("30000\n")
    assert cores(machine) == 0.3
    (folder / "cpu.cfs_period_us").write_text("0\n")
    assert cores(machine) == free
