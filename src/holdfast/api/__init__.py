"""The HTTP API: the engine behind routes; `Api` and `Metrics` are ASGI applications."""

from holdfast.api.door import Api, Metrics
from holdfast.api.facade import Facade
from holdfast.api.server import serve

__all__ = ["Api", "Facade", "Metrics", "serve"]
