"""Counts the breaker's false alarms: millions of sends to a recipient that is as well as ever.

`python benchmarks/false_alarms.py --sends 10000000`: about two minutes on one core.
"""

import argparse

from lab_targets import AILING, SEEN
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from holdfast.lab import alarms

SENDS = 10_000_000


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=SENDS)
    parser.add_argument("--share", type=float, default=AILING, help="share of sends that fail")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    console = Console(highlight=False)
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{options.sends:,} sends", total=options.sends)
        found = alarms.measure(
            options.share,
            options.sends,
            options.seed,
            lambda number: progress.update(task, completed=number),
        )
    console.print(f"false openings per 100,000 sends: {found.per_100_000:.3g} ({found.opened})")
    slowed = found.slowed * 1e5 / found.sends
    console.print(f"slowed down for nothing, per 100,000: {slowed:.3g} ({found.slowed})")
    console.print(f"outages seen within {SEEN} failures: {found.seen_within(SEEN):.1%}")
    console.print(f"failures until one is seen -> how often: {found.seen}")


if __name__ == "__main__":
    main()
