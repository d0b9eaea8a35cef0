"""The ceiling of intake: Litestar on our uvicorn reads the body, answers 202 and keeps nothing.

A program; it says its URL and ends when standard input closes.
"""

from typing import Any

import talk
import uvloop
from litestar import Litestar, Request, post

from holdfast.api.server import Application, serve


@post("/v1/flows/{flow:str}/messages", status_code=202)
async def take(request: Request[Any, Any, Any], flow: str) -> dict[str, str]:
    """Read the body and say yes."""
    await request.body()
    return {"message_id": "msg_0", "flow": flow}


async def main() -> None:
    """Serve until standard input closes."""
    app: Application = Litestar([take], openapi_config=None, logging_config=None)  # type: ignore[assignment]
    async with serve(app, "127.0.0.1", 0) as url:
        talk.say(url=url)
        await talk.serve()


if __name__ == "__main__":
    uvloop.run(main())
