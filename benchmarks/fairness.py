"""(f) 49 recipients under steady load, with and without a 50th that never answers.

The 50th gets its share of the messages, takes the requests and stays silent. The times of the
others, from the client's post to the partner's receipt, must stay as they are.
"""

from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from latency import steady
from load import HUNG, names

TITLE = "A recipient that hangs"
HEALTHY = 49
RATE_EACH = 10


def measure(size: Size, tell: Tell) -> Result:
    """Compare the times of 49 recipients without and with a hanging 50th."""
    seconds = size.of(20, 1)
    rounds: list[Round] = []
    flows = names(HEALTHY)
    for number in range(size.rounds):
        tell(f"round {number + 1}: {seconds} s without, then with a recipient that hangs")
        alone, rate = HEALTHY * RATE_EACH, (HEALTHY + 1) * RATE_EACH
        without = steady(alone * seconds, alone, flows, bad=[])
        rounds.append({"without": without, "with": steady(rate * seconds, rate, flows, bad=[HUNG])})
    return Result(tuple(_figures(rounds)), tuple(rounds))


def _figures(rounds: list[Round]) -> list[Figure]:
    return [
        figure("posted to received, p99, with against without",
               ratios(rounds, "with", "without", "sent_p99"), most=1.1),
        figure("posted to received, p50, with against without",
               ratios(rounds, "with", "without", "sent_p50")),
        figure("posted to received, p99, without", column(rounds, "without", "sent_p99"), "ms"),
        figure("posted to received, p99, with", column(rounds, "with", "sent_p99"), "ms"),
        figure("accepted to received, p99, without", column(rounds, "without", "accepted_p99"),
               "ms"),
        figure("accepted to received, p99, with", column(rounds, "with", "accepted_p99"), "ms"),
        figure("CPU without", column(rounds, "without", "cpu_us_all"), "us/message"),
        figure("CPU with", column(rounds, "with", "cpu_us_all"), "us/message"),
    ]  # fmt: skip
