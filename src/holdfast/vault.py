"""Data protection: gzip, AES-256-GCM and the keys (S5.25, S5.47, S5.50, S5.62).

A sealed value is `version(1) codec(1) key id(4) nonce(12) ciphertext+tag`. The associated data
is the id of the thing it belongs to, so a value moved to another row does not open. Keys live in
`keys.json` (mode 0600) in the data folder (mode 0700); they are made on the first run.
"""

import base64
import hashlib
import hmac
import json
import os
import stat
import zlib
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.errors import VaultError

GZIP_MIN_BYTES: Final = 1024
"""Below this gzip costs more than it gains (measured: 19 us for 500 bytes, nothing saved)."""
_VERSION: Final = 1
_PLAIN: Final = 0
_GZIP: Final = 1
_HEADER: Final = 6
_NONCE: Final = 12
_WBITS: Final = 15 + 16
"""zlib's gzip container."""
_WBITS_READ: Final = 15 + 32
"""The reader also takes bare zlib streams (C19)."""
_INFLATED_MAX: Final = 256 * 1024 * 1024
KEY_FILE: Final = "keys.json"


class Vault:
    """Seals and opens values with the active key and any older one.

    Args:
        keys: key id (4 ASCII characters) -> 32 bytes.
        active: id of the key that seals.
        digest_key: secret of the payload digests; it never rotates, as digests are compared.
    """

    def __init__(self, keys: dict[str, bytes], active: str, digest_key: bytes) -> None:
        if active not in keys:
            raise VaultError(f"active key {active!r} is not among the keys {sorted(keys)}")
        self._ciphers = {name.encode(): AESGCM(key) for name, key in keys.items()}
        self._active = self._ciphers[active.encode()]
        self._digest_key = digest_key
        self._plain = bytes((_VERSION, _PLAIN)) + active.encode()
        self._gzip = bytes((_VERSION, _GZIP)) + active.encode()

    @classmethod
    def generate(cls) -> "Vault":
        """Return a vault with fresh keys that are stored nowhere (tests, simulations)."""
        return cls({"k001": os.urandom(32)}, "k001", os.urandom(32))

    @classmethod
    def load(cls, folder: Path, *, create: bool) -> "Vault":
        """Read the keys of a data folder, or make them when `create` and there are none.

        Raises:
            VaultError: no keys although there should be, a damaged file, or loose permissions.
        """
        path = folder / KEY_FILE
        if not path.exists():
            if not create:
                raise VaultError(
                    f"{path} is missing but the store holds encrypted data. Restore the file from "
                    "your backup of the data folder; without it the stored payloads are lost."
                )
            cls.create(folder)
        return cls._read(path)

    @staticmethod
    def create(folder: Path) -> Path:
        """Make the keys of a new store and return their file.

        Raises:
            VaultError: there are keys already.
        """
        path = folder / KEY_FILE
        if path.exists():
            raise VaultError(f"{path} exists; keys that are in use are never replaced")
        _write(path, {"active": "k001", "keys": {"k001": _key()}, "digest": _key()})
        return path

    @classmethod
    def _read(cls, path: Path) -> "Vault":
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise VaultError(f"{path} has mode {mode:04o}; run: chmod 600 {path}")
        try:
            text = path.read_bytes()
        except OSError as error:
            raise VaultError(
                f"{path} cannot be read ({error.strerror}): who runs Holdfast must own it"
            ) from error
        try:
            data = json.loads(text)
            keys = {name: base64.b64decode(key) for name, key in data["keys"].items()}
            return cls(keys, data["active"], base64.b64decode(data["digest"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VaultError(
                f"{path} is damaged ({error}). Restore it from your backup of the data folder."
            ) from error

    @staticmethod
    def rotate(folder: Path) -> str:
        """Add a new active key to the folder's file and return its id; old values still open."""
        path = folder / KEY_FILE
        Vault._read(path)
        data = json.loads(path.read_text())
        # Not their number: one may have been taken out, and none is ever replaced.
        name = f"k{max(map(_number, data['keys']), default=0) + 1:03d}"
        data["keys"][name] = _key()
        data["active"] = name
        _write(path, data)
        return name

    def seal(self, value: bytes, owner: str) -> bytes:
        """Encrypt `value` for the row `owner`; gzip first where that makes it smaller."""
        header = self._plain
        if len(value) >= GZIP_MIN_BYTES:
            packer = zlib.compressobj(6, zlib.DEFLATED, _WBITS)
            packed = packer.compress(value) + packer.flush()
            if len(packed) < len(value):
                header, value = self._gzip, packed
        nonce = os.urandom(_NONCE)
        return header + nonce + self._active.encrypt(nonce, value, header + owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """Decrypt a value sealed for the row `owner`.

        Raises:
            VaultError: unknown key, changed bytes, or a value of another row.
        """
        header = sealed[:_HEADER]
        cipher = self._ciphers.get(header[2:])
        if cipher is None or header[0] != _VERSION:
            raise VaultError(f"no key {header[2:].decode('latin-1')!r} in {KEY_FILE} for {owner}")
        nonce = sealed[_HEADER : _HEADER + _NONCE]
        try:
            value = cipher.decrypt(nonce, sealed[_HEADER + _NONCE :], header + owner.encode())
        except InvalidTag as error:
            raise VaultError(f"{owner} does not open: wrong key or changed bytes") from error
        return _inflate(value) if header[1] == _GZIP else value

    def is_active(self, sealed: bytes) -> bool:
        """Tell whether a value was sealed with the key that seals now."""
        return sealed[2:_HEADER] == self._plain[2:]

    def digest(self, *parts: bytes) -> bytes:
        """Return the keyed SHA-256 of the parts, 32 bytes; it tells nothing without the key."""
        mac = hmac.new(self._digest_key, digestmod=hashlib.sha256)
        for part in parts:
            mac.update(len(part).to_bytes(8, "big") + part)
        return mac.digest()


def _inflate(value: bytes) -> bytes:
    unpacker = zlib.decompressobj(_WBITS_READ)
    plain = unpacker.decompress(value, _INFLATED_MAX)
    if unpacker.unconsumed_tail:
        raise VaultError(f"a payload inflates to more than {_INFLATED_MAX} bytes")
    return plain


def _number(name: str) -> int:
    return int(name[1:]) if name[1:].isdecimal() else 0


def _key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def _write(path: Path, data: dict[str, object]) -> None:
    """Replace the file atomically and durably; a crash leaves the old or the new one."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
