"""A door in front of an engine in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.access.house import House
from holdfast.api import Api
from holdfast.config import Config, load
from holdfast.testing.memory import MemoryEngine
from holdfast.testing.people import nobody

CATALOG = """
[recipients.acme]
url = "https://acme.example/hooks/s3cret?key=s3cret"
description = "Buys solar leads"
[recipients.beta]
url = "https://beta.example/"
[flows.leads]
steps = [{ recipient = "acme" }, { recipient = "beta" }]
[flows.one]
steps = [{ recipient = "acme" }]
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Two recipients, two flows, small limits."""
    (tmp_path / "holdfast.toml").write_text(CATALOG)
    limits = {
        "engine.max_payload_bytes": 1000,
        "server.max_batch_lines": 3000,
        "server.max_batch_bytes": 200_000,
    }
    return load(tmp_path / "holdfast.toml", {}, limits)


@pytest.fixture
def engine(config: Config) -> MemoryEngine:
    """Return the engine behind the door."""
    return MemoryEngine(config.catalog)


@pytest.fixture
def known(config: Config) -> House:
    """Return who is known: nobody, at first."""
    return nobody(config)


@pytest.fixture
def client(engine: MemoryEngine, config: Config, known: House) -> Iterator[TestClient[Any]]:
    """Return a client of a door on loopback without a token."""
    app: Any = Api(engine, config, known)  # its ASGI types are said more simply than the client's
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        yield client


@pytest.fixture
def locked(engine: MemoryEngine, config: Config, known: House) -> Iterator[TestClient[Any]]:
    """Return a client of a door that wants the token `long-enough`."""
    server = msgspec.structs.replace(config.server, token="long-enough", host="0.0.0.0")
    api: Any = Api(engine, msgspec.structs.replace(config, server=server), known)
    with TestClient(api, base_url="http://holdfast.example") as client:
        yield client
