"""(b) Single-message intake over HTTP against a bare route on the same server.

All lanes are paused, so that only intake works: validate, seal, route, commit (fsync), answer.
The bare route is Litestar on the same uvicorn: it reads the body and answers 202.
"""

import tempfile
from pathlib import Path

import checked
import programs
from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from load import configure, names
from pyreqwest.client import SyncClientBuilder

TITLE = "Single-message intake over HTTP"
RECIPIENTS = 50
CONNECTIONS = 64


def measure(size: Size, tell: Tell) -> Result:
    """Compare intake with the bare route."""
    count = size.of(15_000, 500)
    rounds: list[Round] = []
    for number in range(size.rounds):
        tell(f"round {number + 1}: bare route, then intake, {count} messages each")
        rounds.append({"bare": bare(count), **taken(count)})
    return Result(tuple(_figures(rounds)), tuple(rounds))


def bare(count: int) -> Round:
    """Post to the bare route."""
    with (
        programs.talker("bare_server") as (server, hello),
        programs.talker("poster", hello["url"], CONNECTIONS, "r00000") as (poster, _),
    ):
        poster.ask("single", 200)
        with programs.metered(count, server, poster) as cpu:
            figures = poster.ask("single", count)
    return figures | cpu


def taken(count: int) -> dict[str, Round]:
    """Post to `holdfast up`, without idempotency keys and with them."""
    found: dict[str, Round] = {}
    flows = names(RECIPIENTS)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        config = configure(Path(folder), 9, RECIPIENTS)
        with programs.up(config) as (server, url):
            pause(url, flows)
            with programs.talker("poster", url, CONNECTIONS, ",".join(flows)) as (poster, _):
                poster.ask("single", 200)
                for name, how in (("holdfast", ""), ("keyed", "keyed")):
                    with programs.metered(count, server, poster) as cpu:
                        figures = poster.ask("single", count, how)
                    found[name] = figures | cpu
        checked.expect("messages stored", checked.found(config).messages, 2 * count + 200)
    return found


def pause(url: str, recipients: list[str]) -> None:
    """Pause the lanes, as an operator would."""
    with SyncClientBuilder().no_proxy().build() as client:
        for name in recipients:
            place = f"{url}/v1/recipients/{name}/pause"
            request = client.post(place).body_json({"reason": "only intake is measured"}).build()
            checked.expect(f"status of pausing {name}", request.send().status, 200)


def _figures(rounds: list[Round]) -> list[Figure]:
    return [
        figure("intake against a bare route", ratios(rounds, "holdfast", "bare"), least=0.5),
        figure("the same with idempotency keys", ratios(rounds, "keyed", "bare")),
        figure("intake", column(rounds, "holdfast"), "messages/s"),
        figure("intake with keys", column(rounds, "keyed"), "messages/s"),
        figure("bare route", column(rounds, "bare"), "requests/s"),
        figure("answer, p50", column(rounds, "holdfast", "answer_ms_p50"), "ms"),
        figure("answer, p99", column(rounds, "holdfast", "answer_ms_p99"), "ms"),
        figure("CPU of Holdfast and the client", column(rounds, "holdfast", "cpu_us_all"),
               "us/message"),
        figure("CPU of the bare server and the client", column(rounds, "bare", "cpu_us_all"),
               "us/request"),
    ]  # fmt: skip
