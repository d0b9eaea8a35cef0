"""The spool's journal: what it has taken is there, whatever happens to its files."""

import errno
import os
import stat
from itertools import count
from pathlib import Path
from random import Random

import pytest

from holdfast.errors import StoreError, StoreFull
from holdfast.model.delivery import Delivery
from holdfast.model.message import NEVER, Message
from holdfast.store import Accept
from holdfast.stores.spool import FileSpool
from holdfast.stores.spool.files import RealFiles
from holdfast.stores.spool.journal import Journal
from holdfast.stores.spool.place import claim, is_volatile, prepare
from holdfast.testing.powerloss import Disk
from holdfast.vault import Vault

VAULT = Vault.generate()
SECRET = "ada@example.org"
_number = count(1)


def accept(number: int, size: int = 200) -> Accept:
    """Return a message with one delivery."""
    name = f"{number:032x}"
    message = Message(
        f"msg_{name}", "default", "leads", f"{SECRET} {number}", b"d" * 32, bytes(size), size,
        0.0, 5, None, None, None, 0, NEVER, 1_000 + number,
    )  # fmt: skip
    delivery = Delivery(
        f"dlv_{name}", message.id, "default", "leads", "acme", "acme", 5, predecessor=None,
        followed=False, expires_at=NEVER, created_at=message.created_at,
    )  # fmt: skip
    return Accept(message, (delivery,))


def some(number: int) -> list[Accept]:
    """Return the first so many messages."""
    return [accept(each) for each in range(number)]


def disk(fails_after: int | None = None, capacity: int | None = None) -> Disk:
    """Return a disk under a name of its own."""
    return Disk(f"spool-{next(_number)}", fails_after=fails_after, capacity=capacity)


def journal(disk: Disk, max_bytes: int = 1 << 20, segment_bytes: int = 2_000) -> Journal:
    """Return what the next process reads of a disk."""
    return Journal(disk.files(), VAULT, max_bytes=max_bytes, segment_bytes=segment_bytes)


def drained(journal: Journal) -> list[Accept]:
    """Take everything out."""
    found: list[Accept] = []
    while page := journal.oldest(3):
        found += [each.accept for each in page]
        journal.forget([each.place for each in page])
    return found


def test_what_was_appended_comes_back_in_order() -> None:
    """Also in the next process, over several files, which are gone at the end."""
    place = disk()
    first = journal(place)
    for each in some(20):
        assert len(first.append([each])) == 1
    assert len(place.names()) > 2
    second = journal(place)
    assert second.found.since == 1_000
    assert second.found.pending == {"acme": 20}
    assert [key for _, _, key in second.found.keys] == [f"{SECRET} {n}" for n in range(20)]
    assert drained(second) == some(20)
    assert (second.messages, second.size, place.names()) == (0, 0, [])


def test_a_message_is_found_at_its_place_until_it_is_forgotten() -> None:
    """A repeat of a key is compared with it."""
    found = journal(disk())
    places = found.append(some(3))
    assert [found.at(place) for place in places] == some(3)
    found.forget(places)
    assert found.at(places[0]) is None


def test_what_was_not_forgotten_comes_again() -> None:
    """A process that ends between the commit and the forgetting gives it to the store twice."""
    place = disk()
    first = journal(place, segment_bytes=1 << 20)
    first.append(some(5))
    first.forget([each.place for each in first.oldest(3)])
    assert [each.accept for each in first.oldest(9)] == some(5)[3:]
    assert drained(journal(place)) == some(5)


def test_nothing_can_be_read_in_the_files() -> None:
    """Keys of callers are as secret as payloads."""
    place = disk()
    journal(place).append(some(3))
    (name,) = place.names()
    assert SECRET.encode() not in place.files().read(name)


def test_the_limit_refuses_what_does_not_fit() -> None:
    """What fits is written; there is room again when something was taken out."""
    found = journal(disk(), max_bytes=6_000)
    places = found.append(some(50))
    assert 2 < len(places) < 10
    assert found.size <= 6_000
    assert found.append([accept(99)]) == []
    found.forget(places)
    assert len(found.append([accept(99)])) == 1


def test_a_full_disk_refuses_and_goes_on() -> None:
    """Nothing of the refused write is there later; what was written before is."""
    place = disk(capacity=3_000)
    found = journal(place)
    found.append(some(2))
    with pytest.raises(StoreFull, match="no space"):
        found.append(some(20)[2:])
    place.capacity = None
    found.append([accept(2)])
    assert drained(journal(place)) == some(3)


@pytest.mark.parametrize("torn", [False, True])
def test_every_acknowledged_message_survives_a_power_loss(torn: bool) -> None:  # noqa: FBT001
    """Whatever the instant, with none or half of the unsynced sectors; nothing seems damaged."""
    for instant in range(40):
        place = disk(fails_after=instant)
        acknowledged: list[Accept] = []
        writing = journal(place)
        for number in range(0, 60, 3):
            group = [accept(number + each, 700) for each in range(3)]
            try:
                writing.append(group)
            except StoreError:
                break
            acknowledged += group
        assert place.failed()
        after = place.after_power_loss(f"spool-{next(_number)}", Random(instant) if torn else None)
        reading = journal(after)
        assert reading.kept == 0
        found = drained(reading)
        assert found[: len(acknowledged)] == acknowledged
        assert len(found) <= len(acknowledged) + 3


def test_a_full_disk_is_not_filled_with_empty_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refused append would leave one, until the folder is slow and the inodes are gone."""
    writing = Journal(RealFiles(tmp_path), VAULT, max_bytes=1 << 20)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for each in some(20):
            with pytest.raises(StoreFull):
                writing.append([each])
    assert list(tmp_path.iterdir()) == []
    writing.append(some(1))
    assert len(drained(Journal(RealFiles(tmp_path), VAULT, max_bytes=1 << 20))) == 1


def test_a_damaged_record_is_loud_and_takes_no_other_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The rest is read; the file is kept when everything else of it is in the store."""
    place = disk()
    writing = journal(place, segment_bytes=1 << 20)
    places = [writing.append([each])[0] for each in some(9)]
    (name,) = place.names()
    for damage in (b"\xff", bytes(30), b"\xc5HFspool"):
        place.spoil(name, (places[4] & 0xFFFF_FFFF) + 16, damage)
        reading = journal(place)
        assert [each.accept for each in reading.oldest(9)] == some(4) + some(9)[5:]
        assert reading.kept == 1
        assert caplog.records[-1].getMessage() == "spool_damaged"
    reading.forget([each.place for each in reading.oldest(9)])
    assert place.names() == [f"{name}.kept"]
    assert journal(place).kept == 1


def test_records_that_changed_places_do_not_open() -> None:
    """Each is sealed for its file and its number."""
    place = disk()
    writing = journal(place, segment_bytes=1)
    writing.append([accept(1)])
    writing.append([accept(2)])
    first, second = sorted(place.names())
    place.spoil(first, 0, place.files().read(second))
    reading = journal(place)
    assert [each.accept for each in reading.oldest(9)] == [accept(2)]
    assert reading.kept == 1


def test_what_the_store_refuses_is_kept() -> None:
    """A person may look at it later; it does not stand in the way of the others."""
    place = disk()
    found = journal(place)
    places = found.append(some(2))
    found.forget(places, refused=places[:1])
    assert found.kept == 1
    assert [name.rpartition(".")[2] for name in place.names()] == ["kept"]


async def test_real_files_are_private_and_gone_when_empty(tmp_path: Path) -> None:
    """Folder 0700, files 0600; the place of a process that has left nothing is removed."""
    path = tmp_path / "spool"
    spool = FileSpool.open(path, "g", VAULT, max_bytes=1 << 20, allow_volatile=True)
    places = await spool.append(some(4))
    modes = {stat.S_IMODE(each.stat().st_mode) for each in path.rglob("*") if each.is_file()}
    assert (modes, stat.S_IMODE(path.stat().st_mode)) == ({0o600}, 0o700)
    await spool.close()
    again = FileSpool.open(path, "g", VAULT, max_bytes=1 << 20, allow_volatile=True)
    assert [each.accept for each in await again.oldest(9)] == some(4)
    await again.forget([each.place for each in await again.oldest(9)])
    del places
    await again.close()
    assert list(path.iterdir()) == []


async def test_two_processes_have_two_places_and_the_dead_ones_is_taken_over(
    tmp_path: Path,
) -> None:
    """What a process has left that does not come back is drained by the next one that starts."""
    path = tmp_path / "spool"

    def opened(group: str = "g") -> FileSpool:
        return FileSpool.open(path, group, VAULT, max_bytes=1 << 20, allow_volatile=True)

    one, two, other = opened(), opened(), opened("another store")
    await one.append([accept(1)])
    await two.append([accept(2)])
    await other.append([accept(3)])
    await two.close()
    await one.close()
    last = opened()
    assert [each.accept for each in await last.oldest(9)] == [accept(1), accept(2)]
    await last.close()
    await other.close()


def test_a_place_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    """Mode, owner and kind are looked at: anybody may make something in /tmp."""
    path = tmp_path / "spool"
    path.mkdir()
    path.chmod(0o755)
    with pytest.raises(StoreError, match="chmod 700"):
        prepare(path)
    path.rmdir()
    path.symlink_to(tmp_path)
    with pytest.raises(StoreError, match="no folder"):
        prepare(path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        prepare(tmp_path / "file" / "spool")


def test_a_volatile_place_is_known(tmp_path: Path) -> None:
    """The innermost mount counts; a space in its name does not confuse."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/vda rw\n"
        "2 1 0:5 / /tmp rw,nosuid shared:4 - tmpfs tmpfs rw\n"
        "3 2 8:2 / /tmp/on\\040disk rw - xfs /dev/vdb rw\n"
    )
    assert is_volatile(Path("/tmp/recovery_cache"), mounts)  # noqa: S108  # nothing is written
    assert not is_volatile(Path("/tmp/on disk/spool"), mounts)  # noqa: S108  # as above
    assert not is_volatile(Path("/var/spool"), mounts)
    assert not is_volatile(Path("/var/spool"), tmp_path / "none")


def test_a_lock_that_was_removed_meanwhile_is_none(tmp_path: Path) -> None:
    """Who waits for a folder that its owner removes at the end makes a new one."""
    prepare(tmp_path / "spool")
    slot = claim(tmp_path / "spool", "g")
    slot.release()
    again = claim(tmp_path / "spool", "g")
    assert again.folder.exists()
    again.release()


def test_errors_of_the_disk_are_named(tmp_path: Path) -> None:
    """A file that cannot be written is an error of the store, as callers know it."""
    prepare(tmp_path / "spool")
    files = RealFiles(tmp_path / "spool")
    found = Journal(files, VAULT, max_bytes=1 << 20)
    (tmp_path / "spool").rmdir()
    with pytest.raises(StoreError, match=os.strerror(errno.ENOENT)):
        found.append([accept(1)])
