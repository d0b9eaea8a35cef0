"""The bad network of other tests: late, silent, cut and healed."""

import http.client
from collections.abc import Callable, Iterator

import pytest

from holdfast.clock import SystemClock
from holdfast.testing.partner import Partner
from holdfast.testing.proxy import Proxy

Connect = Callable[..., http.client.HTTPConnection]


@pytest.fixture
def partner() -> Iterator[Partner]:
    """Run a server that answers 200."""
    with Partner() as running:
        yield running


@pytest.fixture
def proxy(partner: Partner) -> Iterator[Proxy]:
    """Run a proxy before it."""
    with Proxy(partner.port) as running:
        yield running


@pytest.fixture
def connect(proxy: Proxy) -> Iterator[Connect]:
    """Return what makes a client of the proxy; all are closed at the end."""
    made = []

    def new(timeout: float = 10) -> http.client.HTTPConnection:
        made.append(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout))
        return made[-1]

    yield new
    for each in made:
        each.close()


def _ask(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_it_passes_on(proxy: Proxy, partner: Partner, connect: Connect) -> None:
    """A connection through it is one to the server, and ends as one."""
    connection = connect()
    assert [_ask(connection), _ask(connection)] == [200, 200]
    assert (proxy.connections, partner.connections) == (1, 1)


def test_it_delays(proxy: Proxy, connect: Connect) -> None:
    """A round trip takes the delay twice: once there and once back."""
    clock = SystemClock()
    proxy.delay(0.05)
    connection = connect()
    began = clock.monotonic()
    assert _ask(connection) == 200
    assert clock.monotonic() - began >= 100


def test_it_drops_and_heals(proxy: Proxy, partner: Partner, connect: Connect) -> None:
    """Nothing arrives and nobody is told, on old and new connections; then all of it arrives."""
    old = connect(0.2)
    assert _ask(old) == 200
    new = connect(0.2)
    with proxy.dropping():
        old.request("GET", "/old")
        with pytest.raises(TimeoutError):
            old.getresponse()
        new.request("GET", "/new")
        with pytest.raises(TimeoutError):
            new.getresponse()
        assert [each.target for each in partner.seen] == ["/"]
    assert old.sock is not None
    old.sock.settimeout(10)
    assert old.sock.recv(9) == b"HTTP/1.1 "


def test_it_cuts_and_heals(proxy: Proxy, connect: Connect) -> None:
    """Connections are reset, new ones too, until it is healed."""
    old = connect()
    assert _ask(old) == 200
    raw = old.sock
    assert raw is not None
    proxy.cut()
    with pytest.raises(OSError, match="reset"):
        raw.recv(1)
    with pytest.raises(OSError):  # noqa: PT011  # the kernel may notice at any step
        _ask(connect())
    proxy.heal()
    assert _ask(connect()) == 200
