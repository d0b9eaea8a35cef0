"""The job that every peer does: post 500 bytes of JSON to a sink; anything but 2xx is a failure.

Where a job comes from and goes to is in the environment, for workers are started by each
library's own command: `PEER_STORE` (a URL), `PEER_SINK` (a URL).
"""

import os
from functools import cache
from typing import Final

from pyreqwest.client import Client, ClientBuilder, SyncClient, SyncClientBuilder

STORE: Final = os.environ.get("PEER_STORE", "")
SINK: Final = os.environ.get("PEER_SINK", "")
CHUNK: Final = 1000
"""Jobs handed over at once when a store is filled."""
RETRIES: Final = 3
CONCURRENCY: Final = 64


def payload(number: int) -> bytes:
    """Return the lead with that number: the bytes that Holdfast posts."""
    head = f'{{"lead":{{"id":{number},"email":"lead{number}@example.com","note":"'
    return f'{head}{"x" * (500 - len(head) - 3)}"}}}}'.encode()


@cache
def _client() -> Client:
    return ClientBuilder().no_proxy().error_for_status(enable=True).build()


@cache
def _blocking() -> SyncClient:
    return SyncClientBuilder().no_proxy().error_for_status(enable=True).build()


async def post(body: bytes) -> None:
    """Post from a loop.

    Raises:
        Exception: the sink did not take it; the library retries.
    """
    request = _client().post(SINK).header("content-type", "application/json")
    response = await request.body_bytes(body).build().send()
    await response.bytes()


def post_blocking(body: bytes) -> None:
    """Post from a thread or a process.

    Raises:
        Exception: the sink did not take it; the library retries.
    """
    request = _blocking().post(SINK).header("content-type", "application/json")
    request.body_bytes(body).build().send().bytes()
