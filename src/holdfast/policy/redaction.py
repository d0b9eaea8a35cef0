"""What must not be seen: masking of texts and payloads, and fields that are never stored.

Paths are dotted (`lead.phones.0`); `*` stands for every item of a list (or field of an object).
A name that meets a list applies to each object in it, so that `phones.number` cannot miss one.
Paths that lead nowhere do nothing.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from holdfast.model.flow import BasicAuth, BearerAuth, Endpoint, HeaderAuth

MASK: Final = "***"
SHORTEST: Final = 3
"""Values with fewer characters are not searched for: they occur everywhere by chance."""
SECRET_NAME: Final = re.compile(r"auth|key|token|secret|password|cookie|signature", re.IGNORECASE)
SECRET_PART: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_~.=-]{16,}")
"""A part of a path that looks drawn, not written: hook addresses carry their secret there."""
_JSON_GO: Final = re.compile("[&<>]")
_JSON_NET: Final = re.compile("[\"&'+<>`]")
"""What their writers of JSON escape besides what all do."""
_MARKUP: Final = re.compile("[\"&'<>]")
_QUOTES: Final = (
    *(("'", '"'), ("'", "&quot;"), ("&apos;", "&quot;"), ("&#x27;", "&quot;")),
    *(("&#39;", "&quot;"), ("&#39;", "&#34;"), ("&#039;", "&quot;")),
)
"""How quotes are written in HTML and XML."""
_GONE: Final = object()

_Tree = dict[str, "_Tree"]


def mask_values(text: str, secrets: Iterable[str]) -> str:
    """Replace every occurrence of the values, also escaped for JSON, HTML, XML or a URL.

    Case does not count; longer values go first. A value that is cut off by the end of the text
    is masked too: excerpts end anywhere.
    """
    forms = {each for value in secrets for form in _forms(value) for each in _cases(form)}
    if not forms or not text:
        return text
    words = sorted(forms, key=lambda form: (-len(form), form))
    found = words
    if text.isascii():  # to build a pattern of thousands of forms takes seconds; few occur
        small = text.lower()
        found = [word for word in words if word in small or not word.isascii()]
    if found:
        text = re.sub("|".join(map(re.escape, found)), MASK, text, flags=re.IGNORECASE)
    end = text.lower()
    cut = max(_cut(end, word) for word in words)
    return text[: len(text) - cut] + MASK if cut else text


def endpoint_secrets(endpoint: Endpoint) -> list[str]:
    """Return what of an endpoint no log, event or error may show, in every form it is sent in."""
    found = [*endpoint.secrets]
    for name, value in endpoint.headers.items():
        if SECRET_NAME.search(name) or SECRET_PART.fullmatch(value):
            found += _with_words(value)
    address = urlsplit(endpoint.url)
    query = parse_qsl(address.query)
    parts = address.path.split("/")
    found += [unquote(part) for part in parts if SECRET_PART.fullmatch(part)]
    found += [
        value for name, value in query if SECRET_NAME.search(name) or SECRET_PART.fullmatch(value)
    ]
    match endpoint.auth:
        case BasicAuth(username=username, password=password):
            pair = base64.b64encode(f"{username}:{password}".encode()).decode()
            found += [password, pair]
        case BearerAuth(token=token):
            found.append(token)
        case HeaderAuth(value=value):
            found += _with_words(value)
    return found


def _with_words(value: str) -> list[str]:
    """Return a header's value, and what follows its scheme: `Bearer` is said or left out."""
    return [value, *value.split()[1:]]


def masked(payload: object, paths: tuple[str, ...]) -> object:
    """Return the payload with `***` at the paths; the argument is left as it is."""
    for path in paths:
        payload = _masked(payload, path.split("."))
    return payload


def values_at(payload: object, paths: tuple[str, ...]) -> list[str]:
    """Return the values at and below the paths as strings, each once, in order.

    Only text and numbers of at least `SHORTEST` characters count: masking every `true` of an
    answer would tell more than it hides.
    """
    found: dict[str, None] = {}
    for path in paths:
        for node in _nodes(payload, path.split(".")):
            found |= dict.fromkeys(_scalars(node))
    return list(found)


def strip(payload: object, strip: tuple[str, ...], keep: tuple[str, ...] | None) -> object:
    """Return the payload with only the `keep` paths (None: all) and without the `strip` paths.

    The argument is left as it is (S5.47).
    """
    if not isinstance(payload, dict | list):
        return payload
    tree = _tree([path.split(".") for path in keep or ()])
    if keep is not None and not tree:
        return type(payload)()
    return _kept(payload, tree, [path.split(".") for path in strip])


def _forms(value: str) -> Iterator[str]:
    if len(value) >= SHORTEST:
        yield value
        yield quote(value, safe="")
        yield quote_plus(value)
        for text in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            yield text
            yield text.replace("/", "\\/")  # PHP
            yield _JSON_GO.sub(_unit, text)
            yield _JSON_NET.sub(_unit, text.replace('\\"', '"'))
        if _MARKUP.search(value):
            text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            for single, double in _QUOTES:
                yield text.replace("'", single).replace('"', double)


def _unit(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _cases(form: str) -> tuple[str, ...]:
    """Return what finds a form in any case; a dotted capital I has no small form of its length."""
    small = form.lower()
    return (small,) if len(small) == len(form) else (small, form)


def _cut(text: str, word: str) -> int:
    """Return how many characters at the end of the text are the beginning of the word."""
    for length in range(min(len(word) - 1, len(text)), SHORTEST - 1, -1):
        if text.endswith(word[:length]):
            return length
    return 0


def _keys(node: object, head: str) -> list[Any]:
    """Return the keys of a container that a path segment names."""
    if isinstance(node, dict):
        return list(node) if head == "*" else [head] if head in node else []
    if isinstance(node, list):
        if head == "*":
            return list(range(len(node)))
        if _is_index(head) and int(head) < len(node):
            return [int(head)]
    return []


def _is_index(head: str) -> bool:
    return head.isdecimal() and len(head) < 10


def _implicit(node: object, head: str) -> bool:
    """Tell whether a name meets a list, so that it applies to each object in it."""
    return isinstance(node, list) and head != "*" and not _is_index(head)


def _nodes(node: object, path: list[str]) -> Iterator[object]:
    if not path:
        yield node
    elif _implicit(node, path[0]) and isinstance(node, list):
        for item in node:
            if isinstance(item, dict):
                yield from _nodes(item, path)
    elif isinstance(node, dict | list):
        for key in _keys(node, path[0]):
            yield from _nodes(node[key], path[1:])


def _scalars(node: object) -> Iterator[str]:
    """Yield texts and numbers below a node; a stack, as payloads may be deeper than ours."""
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            stack.extend(reversed(top.values()))
        elif isinstance(top, list):
            stack.extend(reversed(top))
        elif isinstance(top, str | int | float) and not isinstance(top, bool):
            text = str(top)
            if len(text) >= SHORTEST:
                yield text


def _masked(node: object, path: list[str]) -> object:
    """Rebuild the containers along a path with its ends masked."""
    if not path:
        return MASK
    if isinstance(node, list) and _implicit(node, path[0]):
        return [_masked(item, path) if isinstance(item, dict) else item for item in node]
    keys = set(_keys(node, path[0]))
    if isinstance(node, dict):
        return {k: _masked(v, path[1:]) if k in keys else v for k, v in node.items()}
    if isinstance(node, list):
        return [_masked(v, path[1:]) if i in keys else v for i, v in enumerate(node)]
    return node


def _below(paths: list[list[str]], key: str | int) -> list[list[str]]:
    """Return what is left of the paths that go on at a key, or at an item."""
    return [
        rest
        for head, *rest in paths
        if head in {"*", key} or (isinstance(key, int) and _is_index(head) and int(head) == key)
    ]


def _tree(paths: list[list[str]]) -> _Tree:
    """Join paths into a tree; an empty branch means everything below."""
    groups: dict[str, list[list[str]]] = {}
    for head, *rest in paths:
        groups.setdefault(head, []).append(rest)
    return {head: {} if [] in rests else _tree(rests) for head, rests in groups.items()}


def _kept(node: object, tree: _Tree, gone: list[list[str]]) -> object:
    """Rebuild a container with what the tree names, without what the paths name.

    Both at once, and all paths at once: an item that goes would move the others.
    """
    if [] in gone:
        return _GONE
    if not tree and not gone:
        return node
    if isinstance(node, dict):
        pairs = ((key, _branch(value, key, tree, _below(gone, key))) for key, value in node.items())
        return {key: value for key, value in pairs if value is not _GONE}
    if isinstance(node, list):
        items = [_item(value, index, tree, gone) for index, value in enumerate(node)]
        return [item for item in items if item is not _GONE]
    return _GONE if tree else node


def _branch(value: object, key: str, tree: _Tree, gone: list[list[str]]) -> object:
    if not tree:
        return _kept(value, tree, gone)
    own, star = tree.get(key), tree.get("*")
    if own is None or star is None:
        both = star if own is None else own
    else:
        both = {**star, **own} if own and star else {}
    return _GONE if both is None else _kept(value, both, gone)


def _item(value: object, index: int, tree: _Tree, gone: list[list[str]]) -> object:
    below = _below(gone, index)
    if isinstance(value, dict):
        below += [path for path in gone if path[0] != "*" and not _is_index(path[0])]
    found = _branch(value, str(index), tree, below)
    if found is _GONE and [] not in below and isinstance(value, dict):
        names = {name: sub for name, sub in tree.items() if name != "*" and not _is_index(name)}
        return _kept(value, names, below) if names else _GONE
    return found
