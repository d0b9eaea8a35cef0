"""Two PostgreSQL servers, one of which follows the other: what a fail-over needs."""

import os
import subprocess
from collections.abc import Mapping
from typing import Final

from holdfast.testing.postgres import USER, PostgresError, PostgresServer

_NAME: Final = "standby"
"""How the standby calls itself; the primary waits for that name."""
_PATIENCE_S: Final = 60


class Standby(PostgresServer):
    """A copy of a running server that follows it and refuses writes until it is promoted.

    Args:
        primary: runs when this one is started first.
        settings: of the server.
    """

    def __init__(self, primary: PostgresServer, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(settings)
        self.password = primary.password
        self._primary = primary

    def promote(self) -> None:
        """Let it take writes; return when it does.

        Raises:
            PostgresError: it does not within a minute.
        """
        if self.execute(f"SELECT pg_promote(wait_seconds => {_PATIENCE_S})") != "t":
            raise PostgresError(f"the standby was not promoted: {self.log()[-2000:]}")

    def _initialise(self) -> None:
        where = f"host=127.0.0.1 port={self._primary.port} user={USER} application_name={_NAME}"
        words = [
            "-D",
            str(self._data),
            "-d",
            where,
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
        ]
        done = subprocess.run(  # noqa: S603  # our own program
            [self._bin / "pg_basebackup", *words],
            env=os.environ | {"PGPASSWORD": self.password},
            capture_output=True,
            text=True,
            check=False,
            **self._as,
        )
        if done.returncode:
            raise PostgresError(f"pg_basebackup: {done.stderr}")


class PostgresPair:
    """A primary whose commits wait for its standby, and that standby.

    After the fail-over the new primary commits alone, as nobody follows it.

    Attributes:
        primary: takes writes from the start.
        standby: does so once it is promoted.
    """

    def __init__(self) -> None:
        self.primary = PostgresServer()
        self.standby = Standby(self.primary)

    def url(self) -> str:
        """Return the address of both: of whichever takes writes."""
        ports = f"{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://{USER}:{self.primary.password}@127.0.0.1:{ports}/postgres"

    def start(self) -> None:
        """Run both; from now on nothing is committed that is not on both disks."""
        self.primary.start()
        self.standby.start()
        for sql in (
            # Not a setting of the start: the copy would have it, too, and wait for itself.
            f"ALTER SYSTEM SET synchronous_standby_names = '{_NAME}'",
            "SELECT pg_reload_conf()",
        ):
            self.primary.execute(sql)
        self._await_sync()

    def fail_over(self) -> None:
        """Let the primary crash and the standby take its place."""
        self.primary.crash()
        self.standby.promote()

    def close(self) -> None:
        """End both and remove their folders."""
        self.standby.close()
        self.primary.close()

    def _await_sync(self) -> None:
        self.primary.execute(
            "DO $$ BEGIN FOR i IN 1..1200 LOOP "
            "IF EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync') THEN RETURN; "
            "END IF; PERFORM pg_stat_clear_snapshot(); PERFORM pg_sleep(0.05); END LOOP; "
            "RAISE 'the standby does not follow'; END $$"
        )
