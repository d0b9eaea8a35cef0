"""Serves the console: a bundle of static files that holds no data and no secrets.

The pages ask the API like any other client, so whoever has no token sees a sign-in form and
nothing else. Files under `assets/` carry a hash of their contents in their name and never change;
every other path of a browser is a page of the console and gets `index.html`.
"""

import functools
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.abc import Traversable
from typing import Final

import msgspec

from holdfast.api.body import Scope, Send

BUNDLE: Final = resources.files("holdfast.api") / "bundle"
"""Where the build puts the bundle."""
_API: Final = ("/v1/", "/healthz", "/readyz", "/openapi.json")
_ASSETS: Final = "/assets/"
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"vary", b"accept-encoding"),
)
_FOREVER: Final = b"public, max-age=31536000, immutable"
_MISSING: Final = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Holdfast</title>
<h1>This installation has no console</h1>
<p>The API works: see <a href="/openapi.json">its description</a>.</p>
<p>The console's bundle is not in this package. In a checkout, <code>make console</code> builds
it; packages that were built in the usual way contain it.</p>
</html>
"""


class File(msgspec.Struct, frozen=True):
    """One file of the bundle, plain and compressed, with the hash of its contents."""

    media: str
    plain: bytes
    packed: bytes
    tag: bytes


class Console:
    """An ASGI application over a bundle.

    Args:
        bundle: the folder with `index.html` and `assets/`; it may lack.
    """

    def __init__(self, bundle: Traversable = BUNDLE) -> None:
        self._bundle = bundle

    @functools.cached_property
    def _files(self) -> Mapping[str, File]:
        """Path -> file, read at the first request."""
        return dict(_walk(self._bundle, "/")) if self._bundle.is_dir() else {}

    def wants(self, scope: Scope) -> bool:
        """Tell whether a request is a browser's for the console rather than for the API."""
        path = scope["path"]
        if path.startswith(_API) or scope["method"] not in {"GET", "HEAD"}:
            return False
        if path == "/" or path.startswith(_ASSETS) or path in self._files:
            return True
        return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Answer one request that it wants."""
        path = scope["path"]
        headers = dict(scope["headers"])
        file = self._files.get(path)
        if file is None and not path.startswith(_ASSETS):
            file = self._files.get("/index.html")
        if file is None:
            # A browser keeps no wrong answer: the next build may have the file.
            status = 404 if self._files else 503
            await _send(send, status, _MISSING if status == 503 else b"no such file", [])
            return
        kept = _FOREVER if path.startswith(_ASSETS) else b"no-cache"
        extra = [(b"etag", file.tag), (b"cache-control", kept)]
        if headers.get(b"if-none-match") == file.tag:
            await _send(send, 304, b"", extra)
            return
        body = file.plain
        if b"gzip" in headers.get(b"accept-encoding", b"") and len(file.packed) < len(body):
            body = file.packed
            extra.append((b"content-encoding", b"gzip"))
        await _send(send, 200, body, extra, media=file.media, shown=scope["method"] != "HEAD")


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, File]]:
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            yield from _walk(entry, f"{path}/")
        elif (media := _TYPES.get(entry.name.rpartition(".")[2])) is not None:
            plain = entry.read_bytes()
            tag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'.encode()
            yield path, File(media, plain, gzip.compress(plain, 9, mtime=0), tag)


async def _send(
    send: Send,
    status: int,
    body: bytes,
    extra: list[tuple[bytes, bytes]],
    *,
    media: str = "text/html; charset=utf-8",
    shown: bool = True,
) -> None:
    headers = [*_HEADERS, *extra]
    if status != 304:
        headers += [(b"content-type", media.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if shown else b""})
