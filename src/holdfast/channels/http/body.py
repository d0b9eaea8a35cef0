"""What the body of a request is made of, by the endpoint's kind of body."""

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote_plus

from holdfast.channels.http.fault import Unsendable
from holdfast.channels.http.template import (
    Escape,
    Fields,
    Template,
    array_items,
    in_form,
    in_xml,
    json_escape,
    object_fields,
    plain,
)
from holdfast.model.flow import Endpoint

Render = Callable[[Fields], bytes]

DEPTH_MAX: Final = 32
"""Deepest nesting of a payload that becomes a form or XML."""
_CONTENT_TYPES: Final = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "application/xml; charset=utf-8",
    "raw": "text/plain; charset=utf-8",
}
_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]")


def content_type(endpoint: Endpoint) -> str:
    """Return the Content-Type header of this endpoint's requests."""
    return endpoint.content_type or _CONTENT_TYPES[endpoint.body]


def body_renderer(endpoint: Endpoint) -> Render | None:
    """Return what builds the body; None: the payload goes out as it is, unparsed.

    Raises:
        Unsendable: the body needs a template and there is none.
    """
    if endpoint.template is not None:
        template = Template(endpoint.template, _chooser(endpoint))
        return lambda fields: template.fill(fields).encode()
    if endpoint.body == "raw":
        raise Unsendable("TEMPLATE_MISSING", "template: a body of kind 'raw' needs a template")
    return {"json": None, "form": form, "xml": xml}[endpoint.body]


def form(fields: Fields) -> bytes:
    """Return the payload as a form: nested fields as dotted keys, list items by their number.

    Raises:
        Unsendable: the payload is no JSON object, or nested too deeply.
    """
    pairs = _pairs("", fields.payload, 0)
    return "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in pairs).encode()


def xml(fields: Fields) -> bytes:
    """Return the payload as elements below `<payload>`; a list repeats its element.

    Characters that a name cannot hold become `_`.

    Raises:
        Unsendable: the payload is no JSON object, or nested too deeply.
    """
    content = "".join(_elements(fields.payload, 0))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<payload>{content}</payload>'.encode()


def _chooser(endpoint: Endpoint) -> Callable[[str], Escape]:
    """Return the escape by kind of body; a raw body is escaped by its content type."""
    kind: str = endpoint.body
    if kind == "raw":
        declared = (endpoint.content_type or "").lower()
        kind = next((word for word in ("json", "xml", "html", "form") if word in declared), "raw")
    if kind == "json":
        return json_escape
    fixed: Escape = {"xml": in_xml, "html": in_xml, "form": in_form}.get(kind, plain)
    return lambda _: fixed


def _pairs(prefix: str, raw: bytes, depth: int) -> Iterator[tuple[str, str]]:
    for key, value in _children(raw, depth):
        name = f"{prefix}.{key}" if prefix else key
        if value[:1] in {b"{", b"["}:
            yield from _pairs(name, value, depth + 1)
        else:
            yield name, plain(value)


def _children(raw: bytes, depth: int) -> list[tuple[str, bytes]]:
    if depth > DEPTH_MAX:
        raise Unsendable("PAYLOAD_TOO_DEEP", f"the payload is nested deeper than {DEPTH_MAX}")
    if depth and raw.startswith(b"["):
        return [(str(number), item) for number, item in enumerate(array_items(raw))]
    return list(object_fields(raw).items())


def _elements(raw: bytes, depth: int) -> Iterator[str]:
    for key, value in _children(raw, depth):
        name = _element_name(key)
        items = array_items(value) if value.startswith(b"[") else [value]
        for item in items:
            if item.startswith(b"{"):
                yield f"<{name}>{''.join(_elements(item, depth + 1))}</{name}>"
            else:
                yield f"<{name}>{in_xml(item)}</{name}>"


def _element_name(key: str) -> str:
    name = _NOT_NAME.sub("_", key)
    return name if name[:1].isalpha() or name.startswith("_") else f"_{name}"
