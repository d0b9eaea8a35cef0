"""Data protection: gzip, AES-256-GCM, keys (S5.25, S5.47, S5.50, S5.62)."""

import json
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import VaultError
from holdfast.vault import KEY_FILE, Vault

VAULT = Vault({"k001": b"1" * 32}, "k001", b"d" * 32)


@given(st.binary(max_size=5000), st.text(min_size=1, max_size=40))
def test_round_trip(value: bytes, owner: str) -> None:
    """Whatever is sealed comes back byte for byte."""
    assert VAULT.open(VAULT.seal(value, owner), owner) == value


def test_plain_text_is_not_in_the_sealed_value() -> None:
    """Nothing of the payload shows, small or large."""
    for size in (20, 5000):
        value = b"078-05-1120" + b"x" * size
        sealed = VAULT.seal(value, "msg_1")
        assert b"078-05-1120" not in sealed
        assert b"xxxx" not in sealed


def test_gzip_from_one_kibibyte_and_only_if_smaller() -> None:
    """Large text shrinks; small or random values are left as they are (S5.62)."""
    text = b'{"name":"Ada"}' * 200
    assert len(VAULT.seal(text, "a")) < len(text) / 5
    assert len(VAULT.seal(text[:1000], "a")) == 1000 + 34
    noise = bytes(range(256)) * 4
    packed = zlib.compress(noise)
    assert len(VAULT.seal(noise, "a")) <= max(len(packed) + 60, len(noise) + 34)


def test_a_value_opens_only_for_its_row() -> None:
    """A sealed value that was moved to another row, or changed by one bit, does not open."""
    sealed = VAULT.seal(b"secret", "msg_1")
    with pytest.raises(VaultError, match="msg_2"):
        VAULT.open(sealed, "msg_2")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(VaultError):
            VAULT.open(bytes(changed), "msg_1")


def test_another_key_does_not_open_it() -> None:
    """A wrong key under the same id is noticed, an unknown id is named."""
    sealed = VAULT.seal(b"secret", "msg_1")
    with pytest.raises(VaultError, match="wrong key"):
        Vault({"k001": b"2" * 32}, "k001", b"d" * 32).open(sealed, "msg_1")
    with pytest.raises(VaultError, match="k001"):
        Vault({"k002": b"1" * 32}, "k002", b"d" * 32).open(sealed, "msg_1")


def test_rotation_seals_with_the_new_key_and_opens_the_old(tmp_path: Path) -> None:
    """After `keys rotate` old values still open, new ones name the new key."""
    old = Vault.load(tmp_path, create=True)
    before = old.seal(b"one", "a")
    assert Vault.rotate(tmp_path) == "k002"
    new = Vault.load(tmp_path, create=False)
    assert new.open(before, "a") == b"one"
    assert new.seal(b"two", "a")[2:6] == b"k002"
    assert new.digest(b"x") == old.digest(b"x")


def test_the_key_file_is_private(tmp_path: Path) -> None:
    """Made with mode 0600; a looser mode is refused with the command that mends it (S5.25)."""
    Vault.load(tmp_path, create=True)
    path = tmp_path / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(VaultError, match=f"chmod 600 {path}"):
        Vault.load(tmp_path, create=False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"active": "k001"}', '{"active":1,"keys":3}'])
def test_a_damaged_key_file_is_refused(tmp_path: Path, text: str) -> None:
    """The message says to restore it from the backup."""
    path = tmp_path / KEY_FILE
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(VaultError, match="Restore"):
        Vault.load(tmp_path, create=True)


def test_missing_keys_are_not_made_anew_for_an_old_store(tmp_path: Path) -> None:
    """New keys could never open the old data."""
    with pytest.raises(VaultError, match="missing"):
        Vault.load(tmp_path, create=False)
    assert not (tmp_path / KEY_FILE).exists()


def test_short_keys_are_refused(tmp_path: Path) -> None:
    """A key file with a key that is not 256 bits long is damaged."""
    Vault.load(tmp_path, create=True)
    path = tmp_path / KEY_FILE
    data = json.loads(path.read_text())
    data["keys"]["k001"] = "AAAA"
    path.write_text(json.dumps(data))
    with pytest.raises(VaultError, match="damaged"):
        Vault.load(tmp_path, create=False)


def test_digests_depend_on_key_and_parts() -> None:
    """Equal payloads have equal digests; joining parts differently does not."""
    assert VAULT.digest(b"a", b"b") == VAULT.digest(b"a", b"b")
    assert VAULT.digest(b"ab", b"") != VAULT.digest(b"a", b"b")
    assert VAULT.digest(b"a") != Vault({"k001": b"1" * 32}, "k001", b"e" * 32).digest(b"a")


@pytest.mark.parametrize("wbits", [15, 31])
def test_bare_zlib_streams_open(wbits: int) -> None:
    """C19: the reader takes gzip and zlib containers alike."""
    packer = zlib.compressobj(wbits=wbits)
    packed = packer.compress(b"payload" * 50) + packer.flush()
    header, nonce = bytes((1, 1)) + b"k001", b"n" * 12
    sealed = header + nonce + AESGCM(b"1" * 32).encrypt(nonce, packed, header + b"msg_1")
    assert VAULT.open(sealed, "msg_1") == b"payload" * 50


def test_a_rotation_never_replaces_a_key(tmp_path: Path) -> None:
    """Whoever has taken an old key out of the file keeps the one that is in use."""
    Vault.load(tmp_path, create=True)
    Vault.rotate(tmp_path)
    path = tmp_path / KEY_FILE
    data = json.loads(path.read_text())
    del data["keys"]["k001"]
    path.write_text(json.dumps(data))
    sealed = Vault.load(tmp_path, create=False).seal(b"one", "a")
    assert Vault.rotate(tmp_path) == "k003"
    assert Vault.load(tmp_path, create=False).open(sealed, "a") == b"one"


def test_keys_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    """As when somebody else owns the file."""
    (tmp_path / KEY_FILE).mkdir(mode=0o700)
    with pytest.raises(VaultError, match="cannot be read"):
        Vault.load(tmp_path, create=False)
