"""How long the console's pages wait for the API on a large store, beside traffic.

python benchmarks/pages.py [--postgres] [--count 1000000] [--rate 500] [--calls 40]
                           [--keep FOLDER]

A store gets `count` deliveries with three attempts each (a tenth dead); `holdfast up` serves it.
Messages are posted at `rate` a second to a partner that takes them, first with nobody looking, then
with somebody who asks for all that the pages ask for, one call every 50 ms. Both must hold: the
times of the calls, and the rate of the flow. `--keep` fills a folder once and uses it again (SQLite
only).
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import programs
import uvloop
from grouping import Grouped
from searching import SPAN_MS, fill

from holdfast.app import App
from holdfast.config import load
from holdfast.testing.postgres import PostgresServer, running
from holdfast.vault import Vault

PAUSE_S: Final = 0.05
YEAR_MS: Final = 365 * 86_400_000
RECIPIENTS: Final = tuple(f"partner{number:02}" for number in range(20))
FLOWS: Final = tuple(f"flow{number}" for number in range(4))
GROUPS: Final = 40
"""Of one recipient."""
SEARCHES: Final = (
    "",
    "status:dead",
    "status:dead recipient:partner03",
    "status:dead class:timeout http:503",
    "class:auth status:pending",
    "recipient:partner07 flow:flow2 attempts:>3",
    "value:>=100 status:dead",
    "age:<1d",
    'status:dead "never seen"',
)


def configure(folder: Path, port: int, store: str | None) -> Path:
    """Write the configuration that the filled store fits."""
    lines = [
        f'data = "{folder / "data"}"',
        "[server]\nport = 0\nmetrics_port = 0",
        '[log]\nlevel = "error"',
    ]
    if store is not None:
        lines.append(f'[store]\nurl = "{store}"')
    lines += [
        f'[recipients.{name}]\nurl = "http://127.0.0.1:{port}/leads"\nallow_private = true'
        for name in RECIPIENTS
    ]
    lines += [
        f'[flows.{flow}]\nsteps = [{{ name = "one", recipient = "{RECIPIENTS[number]}" }}]'
        for number, flow in enumerate(FLOWS)
    ]
    path = folder / "holdfast.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


async def filled(config: Path, count: int) -> None:
    """Fill the store that a configuration names, newest delivery now."""
    app = await App.open(load(config, {}))
    now = time.time_ns() // 1_000_000
    ownership = await app.engine.store.join(now)
    filler = Grouped(count, GROUPS, start=now - SPAN_MS, due=now + YEAR_MS)
    await fill(app.engine.store, filler, ownership.epoch)
    await app.engine.store.leave(ownership.epoch)
    await app.engine.store.close()


def asked(url: str, path: str, **query: object) -> Any:
    """Return what the API answers."""
    words = f"?{urllib.parse.urlencode(query)}" if query else ""
    try:
        with urllib.request.urlopen(f"{url}{path}{words}", timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{path}{words}: {error.read().decode()}")


def calls(url: str) -> dict[str, tuple[str, dict[str, object]]]:
    """Return name -> path and query of everything that the pages ask for."""
    newest = asked(url, "/v1/deliveries", q="status:dead", limit=1)["items"][0]
    delivery, message = newest["id"], newest["message_id"]
    group = asked(url, "/v1/groups", sort="count")["items"][0]["key"]
    found: dict[str, tuple[str, dict[str, object]]] = {
        "overview": ("/v1/overview", {}),
        "alerts": ("/v1/groups/alerts", {"limit": 6}),
        "critical": ("/v1/deliveries/critical", {"limit": 6}),
        "lanes": ("/v1/recipients", {}),
        "lane": ("/v1/recipients/partner03", {}),
        "delivery": (f"/v1/deliveries/{delivery}", {}),
        "attempts": (f"/v1/deliveries/{delivery}/attempts", {"limit": 1000}),
        "message": (f"/v1/messages/{message}", {}),
        "events": ("/v1/events", {"limit": 100}),
        "events of a lane": ("/v1/events", {"recipient": "partner07", "limit": 100}),
        "flows": ("/v1/flows", {}),
        "flow": ("/v1/flows/flow1", {}),
        "audit": ("/v1/audit", {"limit": 200}),
        "workers": ("/v1/workers", {}),
        "operations": ("/v1/operations", {}),
        "groups": ("/v1/groups", {}),
        "groups by error": ("/v1/groups", {"by": "error", "sort": "value"}),
        "groups of a search": ("/v1/groups", {"q": "status:dead class:timeout"}),
        "group": (f"/v1/groups/{group}", {}),
        "review": ("/v1/review", {}),
        "review of a lane": ("/v1/review", {"q": "recipient:partner03"}),
        "users": ("/v1/users", {}),
        "tokens": ("/v1/tokens", {}),
        "signals": ("/v1/signals", {}),
    }
    for query in SEARCHES:
        searched: dict[str, object] = {"q": query} if query else {}
        found[f"list {query or '(all)'}"] = ("/v1/deliveries", {**searched, "limit": 100})
        found[f"count {query or '(all)'}"] = ("/v1/deliveries/count", searched)
    return found


def looked(url: str, rounds: int) -> dict[str, list[float]]:
    """Ask everything so many times, in turn; return the times in ms."""
    asking = calls(url)
    took: dict[str, list[float]] = {name: [] for name in asking}
    for _ in range(rounds):
        for name, (path, query) in asking.items():
            began = time.perf_counter()
            asked(url, path, **query)
            took[name].append((time.perf_counter() - began) * 1000)
            time.sleep(PAUSE_S)
    return took


def flowed(poster: programs.Program, rate: int, seconds: float, scratch: Path) -> float:
    """Post at a rate and return how many a second were taken."""
    figures = poster.ask("steady", round(rate * seconds), rate, scratch / "posted")
    taken: float = figures["per_second"]
    return taken


async def measured(url: str, options: argparse.Namespace, scratch: Path) -> None:
    """Measure the flow alone, then pages and flow together, and print both."""
    seconds = options.calls * len(calls(url)) * (PAUSE_S + 0.02)
    with programs.talker("poster", url, 64, ",".join(FLOWS)) as (poster, _):
        alone = await asyncio.to_thread(flowed, poster, options.rate, min(seconds, 20), scratch)
        flow = asyncio.to_thread(flowed, poster, options.rate, seconds, scratch)
        looking = asyncio.to_thread(looked, url, options.calls)
        beside, took = await asyncio.gather(flow, looking)
    worst = 0.0
    for name, times in took.items():
        cuts = statistics.quantiles(times, n=20)
        worst = max(worst, cuts[18])
        print(f"{cuts[9]:8.1f} {cuts[18]:8.1f} ms  {name}")
    print(f"worst p95: {worst:.1f} ms over {len(took)} calls")
    print(f"flow: {alone:.0f} messages/s alone, {beside:.0f} with the pages: {beside / alone:.3f}")


def main(options: argparse.Namespace) -> None:
    """Fill, serve, measure."""
    database = PostgresServer({"shared_buffers": "512MB"}) if options.postgres else None
    with (
        running(database) if database else nullcontext() as server,
        tempfile.TemporaryDirectory(prefix="holdfast-pages-") as scratch,
    ):
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        served(options, folder, server)


def served(options: argparse.Namespace, folder: Path, server: PostgresServer | None) -> None:
    """Fill the store, unless it was kept, serve it and measure."""
    data = folder / "data"
    kept = data.exists()
    with programs.sink() as (_, port):
        config = configure(folder, port, server.empty() if server else None)
        if server is not None:
            data.mkdir(mode=0o700, exist_ok=True)
            Vault.create(data)
        if not kept:
            uvloop.run(filled(config, options.count))
        if server is not None:
            # As it would be by then: a server vacuums, and a worker rebuilds loose indexes.
            for words in ("VACUUM ANALYZE", "REINDEX SCHEMA holdfast", "CHECKPOINT"):
                server.execute(words)
        with programs.up(config) as (_, url):
            uvloop.run(measured(url, options, folder))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--keep", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main(_options())
