"""Text with `{{path.to.field}}` placeholders, read once and filled per send.

Values are escaped for the place they go to, so that no payload can add a field, an element, a
header or a path segment. Numbers keep the spelling of the payload (`1.50` stays `1.50`).
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import msgspec

from holdfast.channel import Request
from holdfast.channels.http.fault import Unsendable

Escape = Callable[[bytes], str]
"""JSON text of a value -> what goes into the text."""

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_HEADER: Final = re.compile("[\x00-\x1f\x7f]")
_HEADER_SAFE: Final = "".join(chr(code) for code in range(32, 127))
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)


class Fields:
    """What placeholders may name: the payload's fields and the five words of the request.

    Args:
        request: the send that is being built.
    """

    __slots__ = ("_request", "_root")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._root: bytes | None = None

    @property
    def payload(self) -> bytes:
        """The payload as JSON text without space around it."""
        if self._root is None:
            self._root = self._request.payload.strip()
        return self._root

    def find(self, path: str) -> bytes:
        """Return the JSON text at a dotted path.

        Raises:
            Unsendable: there is no such field.
        """
        word = self._word(path)
        if word is not None:
            return msgspec.json.encode(word)
        node: bytes | None = self.payload
        for key in path.split("."):
            node = _child(node, key)
            if node is None:
                raise Unsendable(
                    "TEMPLATE_FIELD_MISSING",
                    f"the payload has no field {path!r}, used by a template",
                )
        return node or b""

    def _word(self, path: str) -> str | None:
        request = self._request
        match path:
            case "message.id":
                return request.message_id
            case "delivery.id":
                return request.delivery_id
            case "recipient":
                return request.recipient
            case "flow":
                return request.flow
            case "step":
                return request.step
        return None


class Template:
    """A text whose placeholders were found.

    Args:
        text: the text.
        choose: returns the escape for a placeholder, given the text before it.
    """

    __slots__ = ("_parts",)

    def __init__(self, text: str, choose: Callable[[str], Escape]) -> None:
        parts: list[str | tuple[str, Escape]] = []
        end = 0
        for match in _PLACEHOLDER.finditer(text):
            parts.append(text[end : match.start()])
            parts.append((match[1], choose(text[: match.start()])))
            end = match.end()
        parts.append(text[end:])
        self._parts = tuple(parts)

    def fill(self, fields: Fields) -> str:
        """Return the text with all placeholders replaced.

        Raises:
            Unsendable: a field is missing, or its value is not allowed here.
        """
        return "".join(
            part if isinstance(part, str) else part[1](fields.find(part[0])) for part in self._parts
        )


def has_placeholders(text: str) -> bool:
    """Tell whether there is something to fill in."""
    return _PLACEHOLDER.search(text) is not None


def without_placeholders(text: str, filler: str) -> str:
    """Return the text with `filler` in place of every placeholder."""
    return _PLACEHOLDER.sub(lambda _: filler, text)


def object_fields(raw: bytes) -> dict[str, bytes]:
    """Return the fields of a JSON object as JSON texts.

    Raises:
        Unsendable: it is not a JSON object.
    """
    try:
        return {key: bytes(value) for key, value in _OBJECT.decode(raw).items()}
    except msgspec.DecodeError:
        raise Unsendable("PAYLOAD_NOT_OBJECT", "the payload is not a JSON object") from None


def array_items(raw: bytes) -> list[bytes]:
    """Return the items of a JSON array as JSON texts."""
    return [bytes(item) for item in _ARRAY.decode(raw)]


def plain(raw: bytes) -> str:
    """Return the text of a value: strings as they are, null as nothing, others as JSON text."""
    if raw.startswith(b'"'):
        return _TEXT.decode(raw)
    return "" if raw == b"null" else raw.decode()


def in_json_string(raw: bytes) -> str:
    """Escape for a place between double quotes of a JSON text."""
    return msgspec.json.encode(plain(raw)).decode()[1:-1]


def as_json(raw: bytes) -> str:
    """Return the value as JSON text."""
    return raw.decode()


def in_xml(raw: bytes) -> str:
    """Escape for element content and quoted attributes; what XML cannot hold is left out."""
    return escape(_NOT_XML.sub("", plain(raw)), {'"': "&quot;", "'": "&apos;"})


def in_form(raw: bytes) -> str:
    """Escape for `application/x-www-form-urlencoded`."""
    return quote_plus(plain(raw))


def in_url(raw: bytes) -> str:
    """Percent-encode everything that is not a letter, a digit or one of `-._~`."""
    return quote(plain(raw), safe="")


def in_header(raw: bytes) -> str:
    """Percent-encode what is not ASCII (as UTF-8); refuse control characters.

    Raises:
        Unsendable: the value would end the header or hide in it.
    """
    text = plain(raw)
    if _NOT_HEADER.search(text):
        raise Unsendable(
            "HEADER_VALUE_REFUSED",
            "a field used in a header holds line breaks or control characters",
        )
    return quote(text, safe=_HEADER_SAFE)


def json_escape(before: str) -> Escape:
    """Choose the escape for a JSON template by whether the placeholder stands in a string."""
    inside = False
    escaped = False
    for char in before:
        if escaped:
            escaped = False
        elif inside and char == "\\":
            escaped = True
        elif char == '"':
            inside = not inside
    return in_json_string if inside else as_json


def _child(node: bytes | None, key: str) -> bytes | None:
    if node is None:
        return None
    try:
        if node.startswith(b"{"):
            found = _OBJECT.decode(node).get(key)
        elif node.startswith(b"[") and key.isascii() and key.isdigit():
            items = _ARRAY.decode(node)
            found = items[int(key)] if int(key) < len(items) else None
        else:
            return None
    except msgspec.DecodeError:
        raise Unsendable("PAYLOAD_NOT_JSON", "the payload is not JSON") from None
    return None if found is None else bytes(found)
