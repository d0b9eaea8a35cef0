"""The partner of the tests leaves nothing behind, whatever its clients do."""

import contextlib
import gc
import socket
import warnings

from holdfast.testing.partner import Partner


def test_it_lets_every_socket_go_that_is_only_being_opened() -> None:
    """A client may open a connection in the instant in which the partner stops.

    Such a socket was once left to the garbage collector, and some later test was blamed for it.
    """
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(40):
            with contextlib.ExitStack() as clients, Partner() as partner:
                for _ in range(5):
                    address = ("127.0.0.1", partner.port)
                    clients.enter_context(socket.create_connection(address))
        gc.collect()
    assert not left
