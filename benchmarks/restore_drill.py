"""The restore drill: load, a backup, a disaster, a restore; prints what is lost, and the time.

    python benchmarks/restore_drill.py
    python benchmarks/restore_drill.py --store postgres --messages 20000 --rate 1000

RPO is how far back the oldest message lies that was acknowledged and is gone; RTO is the time from
the disaster to the first message that is accepted again. It fails when anything is lost that was
acknowledged before the backup began, or when more is sent twice than the backup held as pending.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from programs import HOLDFAST, PATIENCE_S, Program, until

from holdfast.testing.partner import Partner, Pause, answer
from holdfast.testing.postgres import PostgresServer, running

CONFIG = """
data = "{data}"
{store}
[server]
port = 0
metrics_port = 0
[recipients.a]
url = "{partner}"
allow_private = true
[flows.leads]
[[flows.leads.steps]]
recipient = "a"
"""
PAGE = 1000


class Times(NamedTuple):
    """Seconds of the monotonic clock."""

    backup_began: float
    backup_ended: float
    disaster: float
    restored: float
    accepting: float


class House:
    """One Holdfast with its configuration; `server` holds its database, None: a file."""

    def __init__(
        self, folder: Path, partner: str, server: PostgresServer | None, template: str = CONFIG
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "holdfast.toml"
        self._server = server
        store = "" if server is None else f'store = "{server.url()}"'
        self.config.write_text(template.format(data=self.data, store=store, partner=partner))
        self.url = ""
        self._program: Program | None = None
        if server is not None:
            self.command("keys", "new")

    def command(self, *words: str) -> str:
        """Run a command of Holdfast and return what it printed."""
        asked = [sys.executable, *HOLDFAST, *words, "--config", str(self.config)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Run it."""
        self._program = Program(*HOLDFAST, "up", "--config", self.config)
        self.url = self._program.line().strip().removeprefix("http://")
        self._program.line()

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._program is not None
        os.kill(self._program.pid, signal.SIGKILL)
        self._program.close()
        self._program = None

    def destroy(self) -> None:
        """Lose machine and store; a copy of the keys lies elsewhere."""
        keys = self.folder / "keys.json"
        shutil.copy2(self.data / "keys.json", keys)
        self.kill()
        shutil.rmtree(self.data)
        if self._server is not None:
            self._server.empty()
        self.data.mkdir(mode=0o700)
        shutil.copy2(keys, self.data)

    def ask(self, path: str, body: object = None) -> Any:
        """Ask the API."""
        connection = http.client.HTTPConnection(self.url, timeout=PATIENCE_S)
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, data, headers)
        reply = connection.getresponse()
        told = reply.read()
        connection.close()
        if reply.status not in {200, 202}:
            raise RuntimeError(f"{path}: {reply.status} {told.decode()}")
        return json.loads(told)

    def deliveries(self) -> dict[str, str]:
        """Return message id -> status of its delivery."""
        found: dict[str, str] = {}
        cursor = ""
        while True:
            page = self.ask(f"/v1/deliveries?limit={PAGE}{cursor}")
            found |= {item["message_id"]: item["status"] for item in page["items"]}
            if not page["next_cursor"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def close(self) -> None:
        """Leave nothing running."""
        if self._program is not None:
            self.kill()


class Load:
    """Posts messages at a rate, in a thread, until it is stopped."""

    def __init__(self, house: House, rate: float) -> None:
        self.acknowledged: dict[str, float] = {}
        """Message id -> when the answer came."""
        self._house = house
        self._rate = rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        begin = time.monotonic()
        number = 0
        while not self._over.wait(max(0.0, begin + number / self._rate - time.monotonic())):
            body = {"payload": {"n": number}, "key": f"k{number}"}
            try:
                told = self._house.ask("/v1/flows/leads/messages", body)
            except (OSError, http.client.HTTPException):
                continue  # the disaster; nothing was promised
            self.acknowledged[told["message_id"]] = time.monotonic()
            number += 1

    def stop(self) -> None:
        """Stop it."""
        self._over.set()
        self._thread.join()


def drill(house: House, messages: int, rate: float) -> tuple[Load, int, Times]:
    """Run it; return the load, how many deliveries the backup held as pending, and the times."""
    backup = house.folder / "backup"
    house.start()
    load = Load(house, rate)
    try:
        until("half of the load is in", lambda: len(load.acknowledged) >= messages // 2)
        began = time.monotonic()
        held = json.loads(house.command("store", "backup", str(backup), "--json"))
        ended = time.monotonic()
        until("the load is in", lambda: len(load.acknowledged) >= messages)
        disaster = time.monotonic()
        house.destroy()
    finally:
        load.stop()
    house.command("store", "restore", str(backup))
    restored = time.monotonic()
    house.start()
    house.ask("/v1/flows/leads/messages", {"payload": {}})
    times = Times(began, ended, disaster, restored, time.monotonic())
    until("all of it is delivered", lambda: not _pending(house))
    return load, held["pending"], times


def _pending(house: House) -> int:
    lanes = house.ask("/v1/recipients")["items"]
    return sum(int(lane["pending"]) for lane in lanes)


def report(house: House, load: Load, times: Times, sent: Counter[str]) -> dict[str, Any]:
    """Return the figures."""
    there = house.deliveries()
    lost = [at for name, at in load.acknowledged.items() if name not in there]
    early = [at for at in lost if at < times.backup_began]
    twice = sum(1 for count in sent.values() if count > 1)
    return {
        "acknowledged": len(load.acknowledged),
        "lost": len(lost),
        "lost_from_before_the_backup": len(early),
        "sent_again": twice,
        "most_sends_of_one_delivery": max(sent.values()),
        "undelivered": sum(status != "delivered" for status in there.values()),
        "backup_s": round(times.backup_ended - times.backup_began, 2),
        "rpo_s": round(times.disaster - min(lost, default=times.disaster), 2),
        "restore_s": round(times.restored - times.disaster, 2),
        "rto_s": round(times.accepting - times.disaster, 2),
    }


@contextmanager
def server(kind: str) -> Iterator[PostgresServer | None]:
    """Give a database server when one is asked for."""
    if kind == "sqlite":
        yield None
        return
    with running(PostgresServer()) as found:
        yield found


def main() -> None:
    """Run the drill and print its figures; leave with 1 when something is lost that must not be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--rate", type=float, default=500.0, help="messages per second")
    given = parser.parse_args()
    slow = Partner(lambda _: [Pause(0.05), answer(200)])
    with tempfile.TemporaryDirectory() as folder, server(given.store) as database, slow as partner:
        house = House(Path(folder), partner.url, database)
        try:
            load, pending, times = drill(house, given.messages, given.rate)
            sent = Counter(seen.headers["idempotency-key"] for seen in partner.seen)
            figures = report(house, load, times, sent)
        finally:
            house.close()
    figures["pending_in_the_backup"] = pending
    print(json.dumps(figures, indent=1))
    good = not figures["lost_from_before_the_backup"] and not figures["undelivered"]
    sys.exit(0 if good and figures["sent_again"] <= pending else 1)


if __name__ == "__main__":
    main()
