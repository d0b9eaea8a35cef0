"""The ceiling of sending: the HTTP client alone posts the same bytes to the same sink.

A program: PORT CONCURRENCY. It says that it is ready; `go COUNT` posts.
"""

import asyncio
import sys
from typing import Any

import talk
import uvloop
from load import Stopwatch, payload
from pyreqwest.client import ClientBuilder


async def main(port: int, concurrency: int) -> None:
    """Post when told, `concurrency` requests at a time."""
    url = f"http://127.0.0.1:{port}/leads"
    body = payload(0)
    async with ClientBuilder().no_proxy().follow_redirects(enable=False).build() as client:

        async def post(left: Any) -> None:
            for _ in left:
                request = client.post(url).header("content-type", "application/json")
                response = await request.body_bytes(body).build().send()
                await response.bytes()

        async def go(count: str) -> dict[str, Any]:
            left = iter(range(int(count)))
            watch = Stopwatch()
            await asyncio.gather(*(post(left) for _ in range(concurrency)))
            return watch.read(int(count))

        talk.say(ready=True)
        await talk.serve(go=go)


if __name__ == "__main__":
    uvloop.run(main(*(int(argument) for argument in sys.argv[1:3])))
