"""The search fields of payloads: what stands for them in the index, and in a search.

A token is a keyed digest of account, pointer and value. The store never sees the value, and without
the digest key nobody can tell which value a token stands for; only equality can be asked.
"""

from typing import Final

from holdfast.model.flow import Catalog, Flow
from holdfast.policy import pointer
from holdfast.policy.payload import read
from holdfast.vault import Vault

TOKEN_BYTES: Final = 16
"""Two values share a token by chance once in 2^64 or so."""
_USE: Final = b"search"
"""Keeps these digests apart from those of payloads."""


class Fields:
    """Makes tokens.

    Args:
        catalog: which fields of which flows can be searched.
        vault: has the digest key.
    """

    def __init__(self, catalog: Catalog, vault: Vault) -> None:
        self._vault = vault
        self._accounts: dict[str, dict[str, None]] = {}
        for flow in catalog.flows.values():
            for name in flow.search:
                self._accounts.setdefault(name, {})[flow.account] = None

    @property
    def names(self) -> frozenset[str]:
        """Return the pointers that can be searched."""
        return frozenset(self._accounts)

    def of_account(self, account: str) -> frozenset[str]:
        """Return those of one account."""
        return frozenset(name for name, owners in self._accounts.items() if account in owners)

    def of_payload(self, flow: Flow, payload: bytes) -> tuple[bytes, ...]:
        """Return the tokens of a payload."""
        if not flow.search:
            return ()
        value = read(payload)
        found = [
            self._token(flow.account, name, word)
            for name in flow.search
            for word in pointer.words(value, name)
        ]
        return tuple(dict.fromkeys(found))

    def digest(self, name: str, word: str) -> tuple[bytes, ...]:
        """Return what may stand for a word: a token per account that has the field."""
        return tuple(self._token(account, name, word) for account in self._accounts.get(name, ()))

    def _token(self, account: str, name: str, word: str) -> bytes:
        parts = (account.encode(), name.encode(), word.encode("utf-8", "surrogatepass"))
        return self._vault.digest(_USE, *parts)[:TOKEN_BYTES]
