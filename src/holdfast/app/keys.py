"""The keys of a store: who has others than it was written with is refused."""

from pathlib import Path
from typing import Final

from holdfast.config import Config
from holdfast.errors import VaultError
from holdfast.store import Registry
from holdfast.vault import KEY_FILE, Vault

DOCUMENT: Final = "key_check"
"""Sealed with the newest key that a process started with."""


async def open_vault(config: Config, registry: Registry) -> Vault:
    """Load the keys; a new embedded store gets new ones.

    A database may be shared, so its keys are never made here: two machines would make different
    ones.
    """
    # Not "no file": the first start may have ended between the file and the keys.
    fresh = await registry.document(DOCUMENT) is None
    if fresh and config.store.url is not None and not (config.data / KEY_FILE).exists():
        raise VaultError(
            f"{config.data / KEY_FILE} is missing. Make it once with: holdfast keys new; then give "
            "every machine that uses this database a copy"
        )
    return Vault.load(config.data, create=fresh)


async def check(registry: Registry, vault: Vault, now: int, folder: Path, store: str) -> None:
    """Refuse to work with other keys than the store was written with.

    Args:
        registry: the store.
        vault: has the keys.
        now: ms since the epoch.
        folder: has the file of the keys.
        store: what to call the store.
    """
    known = await registry.document(DOCUMENT)
    if known is not None:
        check_sealed(vault, known[1], folder, store)
        if vault.is_active(known[1]):
            return
    # New, or rotated: from here on a copy of the file without the new key is refused.
    sealed = vault.seal(b"holdfast", DOCUMENT)
    await registry.put_document(DOCUMENT, sealed, known[0] if known else 0, now)


def check_sealed(vault: Vault, sealed: bytes, folder: Path, store: str) -> None:
    """Refuse keys that do not open the document of a store."""
    advice = (
        f"Put back the {KEY_FILE} that belongs to it, from your backup of the data folder; "
        "without it the stored payloads are lost."
    )
    _check_opens(vault, sealed, f"{folder / KEY_FILE} are not those of {store}", advice)


def check_backup(folder: Path, sealed: bytes, path: Path) -> None:
    """Refuse keys that are not those of a backup."""
    advice = f"Put the {KEY_FILE} that belongs to it there first: no backup holds it"
    vault = Vault.load(folder, create=False)
    _check_opens(vault, sealed, f"{folder / KEY_FILE} are not those of {path}", advice)


def _check_opens(vault: Vault, sealed: bytes, otherwise: str, advice: str) -> None:
    try:
        vault.open(sealed, DOCUMENT)
    except VaultError as error:
        raise VaultError(f"the keys in {otherwise} ({error}). {advice}") from error
