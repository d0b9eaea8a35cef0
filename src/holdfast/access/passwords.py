"""Passwords: argon2id (RFC 9106), a few at a time, as each takes 64 MiB and some of a core."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from holdfast.errors import InvalidInput

SHORTEST: Final = 12
LONGEST: Final = 256
AT_ONCE: Final = 2
"""Hashes under way at once; further ones wait."""


class Passwords:
    """Makes and checks hashes.

    Args:
        hasher: with its parameters; tests take cheap ones.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._decoy: str | None = None

    async def hash(self, password: str, name: str) -> str:
        """Return the hash of a new password.

        Raises:
            InvalidInput: it is too short, too long, or the user's name.
        """
        if not SHORTEST <= len(password) <= LONGEST or name.lower() in password.lower():
            allowed = f"{SHORTEST} to {LONGEST} characters, without the user's name"
            raise InvalidInput("password", "***", allowed)
        return await self._run(password)

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Tell whether it is the password; None (no such user) takes as long and is not."""
        if self._decoy is None:
            self._decoy = await self._run("nobody has this password")
        async with self._places:
            right = await asyncio.to_thread(self._verify, hashed or self._decoy, password[:LONGEST])
        return right and hashed is not None

    async def _run(self, password: str) -> str:
        async with self._places:
            return await asyncio.to_thread(self._hasher.hash, password)

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False
