"""Brings many dead deliveries home while Holdfast is killed twice, and counts what arrived.

python benchmarks/redriving.py [--count 100000] [--rate 2000] [--store postgres]

`holdfast up` on a store of dead deliveries, one operation over all of them, a partner that takes
everything. Twice the process is killed with SIGKILL and started again. It fails unless every
delivery was redriven exactly once and is delivered, and the partner saw twice at most what was on
the wire at a kill.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import apsw
import programs
import uvloop
from checked import expect
from operating import LANES, fill
from restore_drill import House
from rich.progress import Progress

from holdfast.app import App
from holdfast.config import load
from holdfast.testing.postgres import PostgresServer, running

SLOTS: Final = 512
KILLS: Final = 2
CONFIG: Final = (
    f'data = "{{data}}"\n{{store}}\n[server]\nport = 0\nmetrics_port = 0\n'
    f'[engine]\nmax_in_flight = {SLOTS}\n[log]\nlevel = "error"\n'
    + "".join(
        f'[recipients.p{lane}]\nurl = "{{partner}}"\nallow_private = true\n'
        for lane in range(LANES)
    )
    + "[flows.leads]\n"
    + "".join(f'[[flows.leads.steps]]\nrecipient = "p{lane}"\n' for lane in range(LANES))
)
_GENERATIONS: Final = (
    "SELECT count(*) FROM {}deliveries WHERE generation = 1 AND status = 'delivered'"
)
_REDRIVES: Final = "SELECT count(*) FROM {}notes WHERE action = 'redrive'"


async def filled(config: Path, count: int) -> None:
    """Put dead deliveries into the store of a configuration."""
    app = await App.open(load(config, {}))
    await fill(app.engine.store, count, app.engine.vault)
    await app.engine.store.close()


def redriven(house: House, options: argparse.Namespace) -> None:
    """Run the operation through its kills and wait until everything is delivered."""
    plan = {
        "kind": "redrive", "q": "status:dead", "reason": "the partner is back",
        "rate": options.rate, "concurrency": 5_000, "batch": 500, "canary": None,
    }  # fmt: skip
    house.start()
    began = time.monotonic()
    path = f"/v1/operations/{house.ask('/v1/operations', plan)['id']}"
    kills = [options.count * (at + 1) // (KILLS + 1) for at in range(KILLS)]
    with Progress() as progress:
        task = progress.add_task("delivered", total=options.count)
        while (told := house.ask(path))["state"] != "completed":
            progress.update(task, completed=told["delivered"])
            if kills and told["changed"] >= kills[0]:
                del kills[0]
                house.kill()
                house.start()
                progress.console.print(f"killed after {told['changed']:,}, started again")
            time.sleep(0.1)
        progress.update(task, completed=told["delivered"])
    took = time.monotonic() - began
    expect("redriven", told["changed"], options.count)
    expect("delivered", told["delivered"], options.count)
    expect("kills that are left", len(kills), 0)
    print(f"{options.count:,} delivered in {took:.1f} s, {options.count / took:,.0f} a second")


def verify(ask: Callable[[str], int], prefix: str, seen: int, count: int) -> None:
    """Refuse a run in which something was redriven twice or not at all."""
    expect("delivered in their first generation", ask(_GENERATIONS.format(prefix)), count)
    expect("redrives in the audit", ask(_REDRIVES.format(prefix)), count)
    twice = seen - count
    if not 0 <= twice <= KILLS * SLOTS:
        raise RuntimeError(f"the partner saw {twice} too many; at most {KILLS * SLOTS} may be")
    print(f"each redriven once; {twice} of {KILLS * SLOTS} allowed arrived twice at the kills")


def main(options: argparse.Namespace) -> None:
    """Fill, redrive, kill, verify."""
    database = PostgresServer() if options.store == "postgres" else None
    with (
        running(database) if database else nullcontext() as server,
        tempfile.TemporaryDirectory(prefix="holdfast-redriving-") as folder,
        programs.sink() as (sink, port),
    ):
        house = House(Path(folder), f"http://127.0.0.1:{port}/", server, CONFIG)
        uvloop.run(filled(house.config, options.count))
        redriven(house, options)
        house.kill()
        seen = sink.ask("count")["count"]
        if server is not None:
            database = server
            verify(lambda sql: int(database.execute(sql)), "holdfast.", seen, options.count)
        else:
            store = apsw.Connection(str(house.data / "holdfast.db"))
            verify(lambda sql: int(store.execute(sql).get), "", seen, options.count)
            store.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=2_000)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    return parser.parse_args()


if __name__ == "__main__":
    main(_options())
