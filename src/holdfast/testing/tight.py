"""A PostgreSQL server with a small disk, which can be filled up and emptied again.

The small disk is a `tmpfs` in a mount namespace of the server's own, so no rights are needed but
that of making a user namespace, and nothing is left behind. The kernel answers ENOSPC as on any
other disk. Only a tablespace is on it: the server's own files and its log of changes (`pg_wal`)
have room, as where they have a disk of their own.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from holdfast.testing.postgres import USER, PostgresServer

_DATABASE: Final = "tight"
_ROOM_MIB: Final = 96
_MOUNT: Final = 'mount -t tmpfs -o size="$0"m,mode=0700 none "$1" && shift && exec "$@"'


class TightServer(PostgresServer):
    """A server whose database lies on a disk of 96 MiB.

    It cannot be restarted: the disk goes with the process.
    """

    def start(self) -> None:
        """Run, and make the database.

        Raises:
            PostgresError: it does not start: this machine may not let users make namespaces.
        """
        place = self._root / "small"
        place.mkdir()
        if self._as:
            os.chown(place, self._as["user"], self._as["group"])
        super().start()
        self.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        self.execute(f"CREATE DATABASE {_DATABASE} TABLESPACE small OWNER {USER}")
        self.database = _DATABASE

    def fill(self) -> None:
        """Leave no room on the small disk."""
        self._do('cat /dev/zero > "$0"')

    def free(self) -> None:
        """Make room again."""
        self._do('rm "$0"')

    def _do(self, script: str) -> None:
        """Do something about a file on the small disk, as the user to whom it belongs."""
        process = self._process
        assert process is not None
        seen = f"/proc/{process.pid}/root{self._root / 'small' / 'ballast'}"
        words = ["sh", "-c", script, seen]
        subprocess.run(words, stderr=subprocess.DEVNULL, check=False, **self._as)  # noqa: S603  # ours

    def _command(self, words: Sequence[str]) -> list[str]:
        unshare = shutil.which("unshare") or "unshare"
        user, group = (str(each) for each in self._ids())
        # Mounting needs the rights of root within the namespace, which the server refuses to have.
        inside = [unshare, "--user", f"--map-user={user}", f"--map-group={group}", *words]
        sh = ["sh", "-c", _MOUNT, str(_ROOM_MIB), str(self._root / "small"), *inside]
        return [unshare, "--user", "--map-root-user", "--mount", *sh]

    def _ids(self) -> tuple[int, int]:
        if self._as:
            return self._as["user"], self._as["group"]
        return os.getuid(), os.getgid()
