"""The ceiling: the HTTP client alone posts the same bytes to the same sink, without any state."""

import asyncio
import sys

import msgspec
import uvloop
from load import Stopwatch, payload
from pyreqwest.client import ClientBuilder


async def main(port: int, count: int, concurrency: int) -> None:
    """Post `count` payloads, `concurrency` at a time, and print seconds and CPU."""
    url = f"http://127.0.0.1:{port}/leads"
    body = payload(0)
    client = ClientBuilder().no_proxy().follow_redirects(enable=False).build()
    left = iter(range(count))

    async def post() -> None:
        for _ in left:
            request = client.post(url).header("content-type", "application/json")
            response = await request.body_bytes(body).build().send()
            await response.bytes()

    async with client:
        watch = Stopwatch()
        await asyncio.gather(*(post() for _ in range(concurrency)))
        sys.stdout.write(msgspec.json.encode(watch.read(count)).decode() + "\n")


if __name__ == "__main__":
    uvloop.run(main(*(int(argument) for argument in sys.argv[1:4])))
