"""The HTTP channel: one request per send, to an address that was vetted.

Reading order: `channel` (the send), `prepare` (what an endpoint becomes), `template` and `body`
(what goes out), `signature`, `guard` and `resolve` (where it may go), `connections` (clients and
their pools), `fault` (what an exception means).
"""

from holdfast.channels.http.channel import HttpChannel
from holdfast.channels.http.prepare import check_endpoint

__all__ = ["HttpChannel", "check_endpoint"]
