"""(e) 500 messages a second, posted singly: from the client's 202 to the partner's receipt.

Posts go out at fixed times, whatever the answers, so that a slow moment is not hidden. Client and
partner are processes of this machine and read one monotonic clock. The partner may have the lead
before the client has its answer: then the time counts as 0.
"""

import tempfile
from array import array
from pathlib import Path

import checked
import programs
from figures import Figure, Result, Round, Size, Tell, column, figure, quantiles
from load import configure, names

TITLE = "From accepted to received"
RECIPIENTS = 50
RATE = 500
CONNECTIONS = 64


def measure(size: Size, tell: Tell) -> Result:
    """Post at a steady rate and compare the clocks."""
    count = size.of(5_000, 500)
    rounds: list[Round] = []
    for number in range(size.rounds):
        tell(f"round {number + 1}: {count} messages at {RATE} a second")
        flows = names(RECIPIENTS)
        rounds.append(steady(count, RATE, flows, bad=[]))
    return Result(tuple(_figures(rounds)), tuple(rounds))


def steady(count: int, rate: int, flows: list[str], *, bad: list[str]) -> Round:
    """Run `holdfast up`, post to the flows in turn and return the times of the healthy ones."""
    turn = flows + bad
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        programs.sink("--times") as (sink, port),
    ):
        config = configure(Path(folder), port, len(flows), bad=bad)
        files = Path(folder) / "posted", Path(folder) / "received"
        healthy = sum(number % len(turn) < len(flows) for number in range(count))
        with (
            programs.up(config) as (server, url),
            programs.talker("poster", url, CONNECTIONS, ",".join(turn)) as (poster, _),
        ):
            poster.ask("steady", rate, rate, files[0])
            _settle(sink, sum(number % len(turn) < len(flows) for number in range(rate)))
            sink.ask("clear")
            with programs.metered(count, server, poster, sink) as cpu:
                figures = poster.ask("steady", count, rate, files[0])
                _settle(sink, healthy)
            sink.ask("leads", files[1])
        return figures | cpu | _times(*files, healthy=healthy)


def _settle(sink: programs.Program, count: int) -> None:
    """Wait until the partner has everything."""
    programs.until("the partner has every lead", lambda: sink.ask("count")["count"] >= count)


def _times(posted: Path, received: Path, *, healthy: int) -> dict[str, float]:
    posts, leads = array("q"), array("q")
    posts.frombytes(posted.read_bytes())
    leads.frombytes(received.read_bytes())
    came = dict(zip(leads[::2], leads[1::2], strict=True))
    checked.expect("leads received", len(came), healthy)
    accepted, sent = [], []
    for number, began, answered in zip(posts[::3], posts[1::3], posts[2::3], strict=True):
        if number in came:
            accepted.append(max(0.0, (came[number] - answered) / 1e6))
            sent.append((came[number] - began) / 1e6)
    return quantiles("accepted", accepted, 0.5, 0.99) | quantiles("sent", sent, 0.5, 0.99)


def _figures(rounds: list[Round]) -> list[Figure]:
    return [
        figure("accepted to received, p50", column(rounds, "", "accepted_p50"), "ms", most=10),
        figure("accepted to received, p99", column(rounds, "", "accepted_p99"), "ms", most=50),
        figure("posted to received, p50", column(rounds, "", "sent_p50"), "ms"),
        figure("posted to received, p99", column(rounds, "", "sent_p99"), "ms"),
        figure("rate that was posted", column(rounds, "", "per_second"), "messages/s"),
        figure("CPU of all processes", column(rounds, "", "cpu_us_all"), "us/message"),
    ]
