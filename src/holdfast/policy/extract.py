"""Values out of answers: JSON paths and XPaths over bytes that nobody vouches for.

The kind of answer is sniffed from its first byte, not from Content-Type, which partners get
wrong. Garbage is not an error: a path into it finds nothing.
"""

import functools
import math
from typing import Final

import msgspec
from lxml import etree

from holdfast.errors import InvalidInput

VALUE_MAX: Final = 4096
"""Longest value that is returned, in characters."""
_SPACE: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"


class Answer:
    """The captured body of a reply; it is decoded and parsed at most once, when first asked.

    Args:
        body: as captured, possibly cut.
    """

    __slots__ = ("_body", "_json", "_text", "_xml")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._text: str | None = None
        self._json: tuple[object] | None = None
        self._xml: tuple[etree._Element | None] | None = None

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        if self._text is None:
            self._text = self._body.removeprefix(_BOM).decode("utf-8", "replace")
        return self._text

    def find(self, path: str) -> str | None:
        """Return the text at a JSON path (`a.b.0.c`) or XPath (starting with `/`), or None.

        Strings come as they are, other JSON values as JSON text; `null` is None. An XPath
        gives the text content of its first node, the attribute, or the value of the
        expression. At most `VALUE_MAX` characters are returned.
        """
        found = self._in_xml(path) if path.startswith("/") else self._in_json(path)
        return None if found is None else found[:VALUE_MAX]

    def _in_json(self, path: str) -> str | None:
        if self._json is None:
            self._json = (_parse_json(self._body),)
        node = self._json[0]
        for key in path.split("."):
            if isinstance(node, dict):
                node = node.get(key)
            elif isinstance(node, list) and key.isdecimal() and len(key) < 10:
                index = int(key)
                node = node[index] if index < len(node) else None
            else:
                return None
        return _json_text(node)

    def _in_xml(self, path: str) -> str | None:
        if self._xml is None:
            self._xml = (_parse_xml(self._body),)
        root = self._xml[0]
        if root is None:
            return None
        try:
            found: object = _xpath(path)(root)
        except (etree.XPathError, ValueError):
            return None
        return _xml_text(found)


def check_path(path: str, field: str) -> None:
    """Refuse a path that could never find anything.

    Raises:
        InvalidInput: not a JSON path of the form `a.b.0.c`, not an XPath, or one with
            namespace prefixes (local names are matched).
    """
    if path.startswith("/"):
        try:
            _xpath(path)(etree.Element("a"))
        except (etree.XPathError, ValueError) as error:
            raise InvalidInput(
                field, path, f"an XPath with local names, such as /a/b ({error})"
            ) from error
    elif not all(path.split(".")) or path.startswith("$") or "[" in path:
        raise InvalidInput(field, path, "a JSON path such as a.b.0.c, or an XPath such as /a/b")


def _parse_json(body: bytes) -> object:
    start = body.removeprefix(_BOM).lstrip(_SPACE)
    if not start or start.startswith(b"<"):
        return None
    try:
        return msgspec.json.decode(start)
    except (ValueError, RecursionError):
        return None


def _json_text(node: object) -> str | None:
    if node is None or isinstance(node, str):
        return node
    if isinstance(node, float) and not math.isfinite(node):
        return None
    return msgspec.json.encode(node).decode()


def _parse_xml(body: bytes) -> "etree._Element | None":
    """Parse without entities, document types, network access or huge trees."""
    start = body.removeprefix(_BOM).lstrip(_SPACE)
    if not start.startswith(b"<") or b"<!DOCTYPE" in start:
        return None
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(start, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.getroottree().docinfo.internalDTD is not None:
        return None
    for element in root.iter("{*}*"):  # partners change prefixes freely: only local names count
        element.tag = etree.QName(element).localname
    return root


@functools.lru_cache(maxsize=512)
def _xpath(path: str) -> etree.XPath:
    return etree.XPath(path, smart_strings=False)


def _xml_text(found: object) -> str | None:
    if isinstance(found, list):
        if not found:
            return None
        found = found[0]
    if isinstance(found, etree._Element):  # noqa: SLF001  # lxml's only name for the class
        return "".join(str(part) for part in found.itertext()).strip()
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float):
        return str(int(found)) if found.is_integer() else None if math.isnan(found) else str(found)
    return found.strip() if isinstance(found, str) else None
