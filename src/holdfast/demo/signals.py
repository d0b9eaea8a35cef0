"""Graceful ends: the first SIGINT or SIGTERM asks, the second does not."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; the next one ends the process."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    asked = (signal.SIGINT, signal.SIGTERM)

    def ask() -> None:
        stop.set()
        for number in asked:
            loop.remove_signal_handler(number)

    for number in asked:
        loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        for number in asked:
            loop.remove_signal_handler(number)
