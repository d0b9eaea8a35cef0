"""The OpenAPI description: complete, honest, and the same as the file in docs."""

import json
import re
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from holdfast.api.door import HANDLERS
from holdfast.api.schema import openapi

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


def references(value: Any) -> set[str]:
    """Return all `$ref` targets in a document."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(references, value.values()))


def test_file_is_current() -> None:
    """The file in docs is what the routes say; `python -m holdfast.api` writes it."""
    assert FILE.read_bytes() == openapi(HANDLERS)


def test_served(client: TestClient[Any]) -> None:
    """The API serves its own description."""
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.content == openapi(HANDLERS)


def test_references_lead_somewhere() -> None:
    """Every reference has its target, every component is referred to."""
    document = json.loads(openapi(HANDLERS))
    components = document["components"]
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in components[kind]
    }
    assert references(document) == there


def test_every_route_is_described(client: TestClient[Any]) -> None:
    """Each described route answers, and with a status that is described.

    The stream, which does not end by itself, has its own tests.
    """
    document = json.loads(openapi(HANDLERS))
    assert len(document["paths"]) == 74
    del document["paths"]["/v1/stream"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            real = re.sub(r"\{\w+\}", "dlv_1", path)
            answer = client.request(method.upper(), real, json={})
            assert str(answer.status_code) in operation["responses"], (path, answer.text)
            assert answer.status_code != 405


def test_operation_ids_are_unique() -> None:
    """Clients are generated from operation ids."""
    paths = json.loads(openapi(HANDLERS))["paths"]
    names = [one["operationId"] for methods in paths.values() for one in methods.values()]
    assert len(names) == len(set(names))
