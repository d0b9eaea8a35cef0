"""Clients and where they connect to: one pool of connections per vetted address and identity.

A client of the library is bound to one address, so that nothing below us resolves a name a
second time. Clients are dear (about 6 ms to build) and are shared by all endpoints with the same
host, timeouts and certificates.
"""

import asyncio
import hashlib
import socket
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError
from pyreqwest.proxy import ProxyBuilder

from holdfast.channels.http.fault import Unsendable
from holdfast.channels.http.guard import refusal
from holdfast.channels.http.prepare import Target
from holdfast.channels.http.resolve import Lookup
from holdfast.clock import Clock
from holdfast.model.attempt import FailureClass
from holdfast.model.flow import Endpoint

NAME_TTL_MS: Final = 5_000.0
"""How long an address is used before its name is looked up again; certificates likewise."""
CLIENTS_MAX: Final = 2048
"""Pools kept (about 130 KiB each); the one unused for longest is let go, its sends end in peace."""
ADDRESSES_MAX: Final = 4
"""Addresses of one name that are tried in turn."""
_EAI: Final = {value: name for name, value in vars(socket).items() if name.startswith("EAI_")}
_IDLE_PER_HOST: Final = 1024
"""Fewer than the sends at once would close and open connections all the time."""
_IDLE_S: Final = 30.0
_BEFORE: Final = 0.8
"""The connection's time-out fires well before the others, so that they mean: it was connected.

Otherwise a connection that is never made would leave doubt about what cannot have been received.
"""


class RouteKey(NamedTuple):
    """What makes connections of two endpoints interchangeable."""

    target: Target
    allow_private: bool
    connect_s: float
    read_s: float
    total_s: float
    client_certificate: str | None
    ca_certificate: str | None
    proxy: str | None


class Route(NamedTuple):
    """A way to a partner that may be used until `until` (monotonic ms)."""

    client: Client
    until: float
    addresses: tuple[str, ...]
    """All vetted addresses; the client is bound to the first. Empty: a proxy resolves."""
    resolve_ms: float


class _Certificates(NamedTuple):
    client: bytes | None
    authority: bytes | None

    def digest(self) -> bytes:
        return hashlib.sha256(repr(self).encode()).digest()


def route_key(endpoint: Endpoint, target: Target) -> RouteKey:
    """Return the key that endpoints with interchangeable connections share."""
    return RouteKey(
        target=target,
        allow_private=endpoint.allow_private,
        connect_s=endpoint.connect_timeout,
        read_s=endpoint.read_timeout,
        total_s=endpoint.total_timeout,
        client_certificate=endpoint.client_certificate,
        ca_certificate=endpoint.ca_certificate,
        proxy=endpoint.proxy,
    )


class Connections:
    """Finds, builds and keeps routes; every name is looked up once at a time.

    Args:
        clock: time.
        lookup: names to addresses.
    """

    def __init__(self, clock: Clock, lookup: Lookup) -> None:
        self._clock = clock
        self._lookup = lookup
        self._clients: OrderedDict[tuple[RouteKey, str, bytes], Client] = OrderedDict()
        self._routes: OrderedDict[RouteKey, Route] = OrderedDict()
        self._pending: dict[RouteKey, asyncio.Task[Route]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="holdfast-tls")
        self._closed = False

    async def route(self, key: RouteKey) -> Route:
        """Return a fresh route; concurrent callers share one look-up.

        Raises:
            Unsendable: the name does not resolve within the connect time-out, its addresses are
                refused, a certificate cannot be used, or `close` was called.
        """
        known = self._routes.get(key)
        if known is not None and self._clock.monotonic() < known.until:
            return known
        return await self._shared(key)

    def failed(self, key: RouteKey, route: Route) -> None:
        """Note that no connection could be made: the next look-up prefers another address."""
        if self._routes.get(key) is route:
            turned = route.addresses[1:] + route.addresses[:1]
            self._routes[key] = route._replace(until=0.0, addresses=turned)

    async def close(self) -> None:
        """Close all connections; sends under way are cut."""
        self._closed = True
        for task in self._pending.values():
            task.cancel()
        clients = list(self._clients.values())
        self._clients.clear()
        self._routes.clear()
        for client in clients:
            await client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _shared(self, key: RouteKey) -> Route:
        if self._closed:
            raise _closed()
        task = self._pending.get(key)
        if task is None:
            task = asyncio.create_task(self._find(key))
            self._pending[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        await asyncio.wait({task}, timeout=min(key.connect_s, key.total_s))
        if not task.done():
            words = f"{key.target.host} does not resolve in time"
            raise Unsendable("ETIMEDOUT", words, FailureClass.DNS)
        if task.cancelled():
            raise _closed()
        return task.result()

    def _forget(self, key: RouteKey, task: asyncio.Task[Route]) -> None:
        self._pending.pop(key, None)
        if not task.cancelled():
            task.exception()  # all waiters may be gone; then nobody else would look at it

    async def _find(self, key: RouteKey) -> Route:
        began = self._clock.monotonic()
        addresses = await self._vetted(key)
        resolved = self._clock.monotonic()
        client = await self._client(key, addresses[0] if addresses else "")
        route = Route(client, resolved + NAME_TTL_MS, addresses, resolved - began)
        self._routes[key] = route
        self._routes.move_to_end(key)
        while len(self._routes) > CLIENTS_MAX:
            self._routes.popitem(last=False)
        return route

    async def _vetted(self, key: RouteKey) -> tuple[str, ...]:
        """Return the addresses that may be reached; the present one stays the first."""
        target = key.target
        if target.literal:
            found = [target.host.strip("[]")]
        elif key.proxy is not None and not target.host.endswith("localhost"):
            return ()  # the proxy resolves, and its owner says what may be reached
        else:
            found = await self._addresses(target)
        refused = {address: refusal(address, allow_private=key.allow_private) for address in found}
        allowed = [address for address, word in refused.items() if word is None]
        if not allowed:
            address, word = next(iter(refused.items()))
            raise Unsendable(
                "ADDRESS_REFUSED",
                f"{target.host} is {address} ({word}); `allow_private` is not set",
            )
        known = self._routes.get(key)
        if known is not None and known.addresses and known.addresses[0] in allowed:
            at = allowed.index(known.addresses[0])
            allowed = allowed[at:] + allowed[:at]
        return tuple(allowed[:ADDRESSES_MAX])

    async def _addresses(self, target: Target) -> list[str]:
        try:
            found = await self._lookup(target.host, target.port)
        except socket.gaierror as error:
            code = _EAI.get(error.errno or 0, "EAI_FAIL")
        else:
            if found:
                return found
            code = "EAI_NODATA"
        raise Unsendable(code, f"{target.host} does not resolve", FailureClass.DNS)

    async def _client(self, key: RouteKey, address: str) -> Client:
        loop = asyncio.get_running_loop()
        certificates = _Certificates(None, None)
        if key.client_certificate or key.ca_certificate:
            certificates = await loop.run_in_executor(self._threads, _read_certificates, key)
        # The guard has spoken: from here on only the address counts, not who allowed it.
        name = (key._replace(allow_private=False), address, certificates.digest())
        client = self._clients.get(name)
        if client is None:
            client = await loop.run_in_executor(self._threads, _build, key, address, certificates)
            if self._closed:
                await client.close()
                raise _closed()
        self._clients[name] = client
        self._clients.move_to_end(name)
        while len(self._clients) > CLIENTS_MAX:
            self._clients.popitem(last=False)
        return client


def _closed() -> Unsendable:
    return Unsendable("CHANNEL_CLOSED", "the channel is closed", FailureClass.CANCELLED)


def _read_certificates(key: RouteKey) -> _Certificates:
    return _Certificates(
        _read("client_certificate", key.client_certificate),
        _read("ca_certificate", key.ca_certificate),
    )


def _read(field: str, path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Unsendable(
            "CERTIFICATE_UNREADABLE", f"{field}: {path}: {error.strerror or 'cannot be read'}"
        ) from None


def _build(key: RouteKey, address: str, certificates: _Certificates) -> Client:
    target = key.target
    builder = (
        ClientBuilder()
        .no_proxy()  # proxies of the environment are not ours
        .follow_redirects(enable=False)
        .referer(enable=False)
        .http1_only()
        .brotli(enable=False)  # their windows may take many MiB per answer
        .zstd(enable=False)
        .pool_idle_timeout(timedelta(seconds=_IDLE_S))
        .pool_max_idle_per_host(_IDLE_PER_HOST)
        .connect_timeout(_seconds(min(key.connect_s, key.read_s * _BEFORE, key.total_s * _BEFORE)))
        .read_timeout(_seconds(key.read_s))
        .timeout(_seconds(key.total_s))
    )
    if address and not target.literal:
        builder = builder.resolve(target.host, address.split("%", 1)[0], target.port)
    try:
        if key.proxy is not None:
            builder = builder.proxy(ProxyBuilder.all(key.proxy))
        if certificates.authority is not None:
            builder = builder.add_root_certificate_pem(certificates.authority)
        if certificates.client is not None:
            builder = builder.identity_pem(certificates.client)
        return builder.build()
    except (BuilderError, ValueError):
        raise Unsendable(
            "ENDPOINT_UNUSABLE",
            "the client cannot be set up: check `proxy`, `ca_certificate` and `client_certificate`",
        ) from None


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)
