"""The console's files: where they answer, how they are cached, and what keeps them safe."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.api import Api
from holdfast.api.console import Console
from holdfast.config import Config
from holdfast.testing.memory import MemoryEngine
from holdfast.testing.people import nobody

PAGE = "<!doctype html><title>Console</title>" + " " * 1000
CODE = "export const answer = 42;" * 100


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a bundle like the build's."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "assets" / "index-1a2b.js").write_text(CODE)
    (tmp_path / "sources.sha256").write_text("not for browsers")
    return tmp_path


@contextmanager
def door(config: Config, folder: Path) -> Iterator[TestClient[Any]]:
    """Return a client that asks as a browser does, of a door with the bundle in `folder`."""
    app: Any = Api(MemoryEngine(config.catalog), config, nobody(config), Console(folder))
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        client.headers["accept"] = "text/html,*/*;q=0.8"
        yield client


@pytest.fixture
def browser(config: Config, bundle: Path) -> Iterator[TestClient[Any]]:
    """Return a browser in front of that bundle."""
    with door(config, bundle) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/deliveries/dlv_1", "/lanes/a%20b"])
def test_every_page_is_the_index(browser: TestClient[Any], path: str) -> None:
    """Deep links answer the index, which is asked anew each time but not sent again."""
    answer = browser.get(path)
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["cache-control"] == "no-cache"
    again = browser.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_assets_are_kept_for_ever(browser: TestClient[Any]) -> None:
    """A file with a hash in its name never changes; it is sent compressed to who takes that."""
    answer = browser.get("/assets/index-1a2b.js", headers={"accept": "*/*"})
    assert answer.text == CODE
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(CODE) / 4
    plain = browser.get("/assets/index-1a2b.js", headers={"accept-encoding": "identity"})
    assert plain.text == CODE
    assert "content-encoding" not in plain.headers


def test_an_old_asset_is_missing_and_not_the_index(browser: TestClient[Any]) -> None:
    """A page from before an upgrade gets 404 for its files, never HTML as a script."""
    answer = browser.get("/assets/index-9999.js")
    assert answer.status_code == 404
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/sources.sha256", "/assets/../../config.py", "/assets/%2e%2e/%2e%2e/config.py"]
)
def test_nothing_else_is_served(browser: TestClient[Any], path: str) -> None:
    """Only what browsers need of the bundle is served, whatever the path says."""
    answer = browser.get(path)
    assert "not for browsers" not in answer.text
    assert "import" not in answer.text


def test_the_policy_is_strict(browser: TestClient[Any]) -> None:
    """No foreign script, style, frame or type; nothing is told to other sites."""
    for path in ("/", "/assets/index-1a2b.js", "/assets/gone.js"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_head_has_no_body(browser: TestClient[Any]) -> None:
    """HEAD answers as GET would, without the body."""
    answer = browser.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/v1/overview", "/healthz", "/openapi.json"])
def test_the_api_is_not_hidden(browser: TestClient[Any], path: str) -> None:
    """A browser that opens a route of the API gets the API."""
    assert browser.get(path).headers["content-type"].startswith("application/json")


def test_programs_get_problems(client: TestClient[Any]) -> None:
    """Who does not ask for a page gets a problem for a route that is not there."""
    answer = client.get("/v2/deliveries", headers={"accept": "application/json"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_token_guards_data_and_not_the_form(config: Config, bundle: Path) -> None:
    """The page that asks for the token is open; every route behind it is not."""
    server = msgspec.structs.replace(config.server, token="long-enough")
    with door(msgspec.structs.replace(config, server=server), bundle) as client:
        assert client.get("/").status_code == 200
        assert client.get("/v1/overview").status_code == 401


def test_a_package_without_the_bundle_says_so(config: Config, tmp_path: Path) -> None:
    """Without a bundle the answer is 503 with words, not a 404, and the API works."""
    with door(config, tmp_path / "lacks") as client:
        answer = client.get("/")
        assert answer.status_code == 503
        assert "make console" in answer.text
        assert client.get("/v1/overview").status_code == 200
