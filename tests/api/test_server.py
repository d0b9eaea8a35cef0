"""The real server on a real socket, with a real client."""

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest

from holdfast.api import Api, Metrics, serve
from holdfast.config import Config
from holdfast.errors import ConfigError
from holdfast.testing.memory import MemoryEngine
from holdfast.testing.people import nobody


async def test_message_to_delivery(engine: MemoryEngine, config: Config) -> None:
    """A message goes in over TCP and its delivery can be looked at and cancelled."""
    async with (
        serve(Api(engine, config, nobody(config)), "127.0.0.1", 0) as url,
        aiohttp.ClientSession(url) as session,
    ):
        async with session.post("/v1/flows/one/messages", json={"payload": {"a": 1}}) as answer:
            assert answer.status == 202
            assert answer.headers["content-type"] == "application/json"
            delivery_id = (await answer.json())["deliveries"][0]["id"]
        async with session.get(f"/v1/deliveries/{delivery_id}") as answer:
            assert (await answer.json())["status"] == "pending"
        path = f"/v1/deliveries/{delivery_id}/cancel"
        async with session.post(path, json={"reason": "test"}) as answer:
            assert (await answer.json())["status"] == "discarded"
        async with session.get("/nowhere") as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["status"]) == (404, 404)
            assert "server" not in answer.headers


async def test_batch(engine: MemoryEngine, config: Config) -> None:
    """A batch in many TCP segments is answered line by line."""
    body = b"".join(b'{"payload": {"n": %d}}\n' % number for number in range(2500))
    headers = {"Content-Type": "application/x-ndjson"}
    async with (
        serve(Api(engine, config, nobody(config)), "127.0.0.1", 0) as url,
        aiohttp.ClientSession(url) as session,
        session.post("/v1/flows/one/messages/batch", data=body, headers=headers) as answer,
    ):
        found = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [one["line"] for one in found] == list(range(1, 2501))
    assert {one["status"] for one in found} == {202}
    assert engine.commits == [1000, 1000, 500]


async def test_metrics_have_their_own_port(engine: MemoryEngine, config: Config) -> None:
    """The metrics are plain text on a second listener, behind the same guard (C21)."""
    async with (
        serve(
            Metrics(engine, config, nobody(config)), "127.0.0.1", 0, option="--metrics-port"
        ) as url,
        aiohttp.ClientSession(url) as session,
    ):
        async with session.get("/metrics") as answer:
            assert answer.headers["content-type"].startswith("text/plain")
            assert "holdfast_pending 0" in await answer.text()
        async with session.get("/") as answer:
            assert answer.status == 404
        async with session.post("/metrics") as answer:
            assert (answer.status, answer.headers["allow"]) == (405, "GET")
        async with session.get("/metrics", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403


async def test_rebound_name_is_refused(engine: MemoryEngine, config: Config) -> None:
    """A browser that was lured to loopback under another name gets nothing."""
    async with (
        serve(Api(engine, config, nobody(config)), "127.0.0.1", 0) as url,
        aiohttp.ClientSession(url) as session,
        session.get("/v1/flows", headers={"Host": "evil.example:8420"}) as answer,
    ):
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (
            403,
            "HOST_NOT_ALLOWED",
        )


async def test_taken_port(engine: MemoryEngine, config: Config) -> None:
    """A taken port is an error that names it and the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = rf"port {port} on 127\.0\.0\.1 is taken: .* use --port with another"
        with pytest.raises(ConfigError, match=words):
            async with serve(Api(engine, config, nobody(config)), "127.0.0.1", port):
                pass


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.1"])
async def test_bad_host(engine: MemoryEngine, config: Config, host: str) -> None:
    """An address that is not ours is a clear error."""
    with pytest.raises(ConfigError, match="cannot listen on"):
        async with serve(Api(engine, config, nobody(config)), host, 0):
            pass


async def test_port_is_free_again(engine: MemoryEngine, config: Config) -> None:
    """After the block the port can be bound at once."""
    async with serve(Api(engine, config, nobody(config)), "127.0.0.1", 0) as url:
        port = int(url.rpartition(":")[2])
    async with serve(Api(engine, config, nobody(config)), "127.0.0.1", port) as again:
        assert again == url


class Slow(MemoryEngine):
    """An engine whose commit lasts until it is let go."""

    started: asyncio.Event
    go: asyncio.Event

    async def accept(self, *args: Any, **named: Any) -> Any:
        """Accept when let go."""
        self.started.set()
        await self.go.wait()
        return await super().accept(*args, **named)


async def test_shutdown_lets_requests_end(config: Config) -> None:
    """A message that is being committed when we stop still gets its answer."""
    engine = Slow(config.catalog)
    engine.started, engine.go = asyncio.Event(), asyncio.Event()
    async with aiohttp.ClientSession() as session:
        async with serve(Api(engine, config, nobody(config)), "127.0.0.1", 0) as url:
            path = f"{url}/v1/flows/one/messages"
            asked = asyncio.create_task(session.post(path, json={"payload": {}}))
            await engine.started.wait()
            asyncio.get_running_loop().call_later(0.05, engine.go.set)
        answer = await asked
        assert answer.status == 202
        answer.release()


async def test_caller_hangs_up(engine: MemoryEngine, config: Config) -> None:
    """A caller that goes away in the middle of its body leaves nothing behind."""
    async with serve(Api(engine, config, nobody(config)), "127.0.0.1", 0) as url:
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = b"POST /v1/flows/one/messages HTTP/1.1\r\nHost: localhost\r\n"
        writer.write(head + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert engine.commits == []


async def test_long_body_is_not_read(engine: MemoryEngine, config: Config) -> None:
    """A body that says it is too long is refused at once and the connection is closed."""
    async with serve(Api(engine, config, nobody(config)), "127.0.0.1", 0) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = b"POST /v1/flows/one/messages HTTP/1.1\r\nHost: localhost\r\n"
        writer.write(head + b"Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"TOO_LARGE"' in answer


@pytest.mark.parametrize(("trusted", "told"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.7")])
async def test_only_a_trusted_proxy_says_who_asks(trusted: tuple[str, ...], told: str) -> None:
    """Else whoever guesses passwords would have a new address for each."""

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})

    async with (
        serve(echo, "127.0.0.1", 0, trusted=trusted) as url,
        aiohttp.ClientSession(url) as session,
        session.get("/", headers={"X-Forwarded-For": "203.0.113.7"}) as answer,
    ):
        assert await answer.text() == told
