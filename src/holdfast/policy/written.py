"""The canonical form of a configuration: equal where two files mean the same, without secrets.

Only values count: order, comments and blanks do not. A reference (`env:NAME`, `file:PATH`) stays
as it is; a secret that the file holds itself is replaced by a keyed sum, so that a change of it
shows and the secret does not.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from typing import Any, Final

import msgspec

from holdfast.model.configuration import Difference
from holdfast.policy.redaction import MASK, SECRET_NAME, SECRET_PART

Digest = Callable[..., bytes]
"""`Vault.digest`: the keyed sum of some parts."""

REFERENCE: Final = re.compile(r"env:[A-Za-z_]\w*$|file:.")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_OPEN: Final = frozenset({"type", "username", "name"})
"""What of `auth` is no secret."""
_TOLD: Final = frozenset({"description"})
_END: Final = re.compile(r"[/?#]")
_SUM_DIGITS: Final = 16
_LARGEST: Final = 2**53 - 1


def masked(tree: Mapping[str, Any], digest: Digest) -> dict[str, Any]:
    """Return a file's tables in canonical form, as JSON can hold them, secrets as keyed sums.

    Args:
        tree: as TOML gives it.
        digest: makes the sums.
    """

    def hide(secret: str) -> str:
        found = digest(b"configuration secret", secret.encode("utf-8", "surrogatepass"))
        return MASK + found.hex()[:_SUM_DIGITS] if secret else secret

    given = dict(tree)
    if isinstance(given.get("store"), str):
        given["store"] = {"url": given["store"]}
    return {key: _masked(key, value, hide, within="") for key, value in given.items()}


def digest_of(tree: Mapping[str, Any]) -> str:
    """Return the digest of a canonical form, 64 hex digits."""
    return hashlib.sha256(_json(tree)).hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return where two canonical forms differ, by place.

    Tables are compared key by key, lists of named tables name by name, other lists as a whole.
    """
    return tuple(_differences("", before, after))


def toml(tree: Mapping[str, Any]) -> str:
    """Return a canonical form as TOML, sorted."""
    return "\n".join(_lines("", tree)).strip() + "\n" if tree else ""


def _masked(key: str, value: Any, hide: Callable[[str], str], *, within: str) -> Any:
    """Return a value without its secrets; `within` is `auth`, `headers` or ''."""
    if isinstance(value, dict):
        inside = key if key in {"auth", "headers"} else within
        return {name: _masked(name, each, hide, within=inside) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(key, each, hide, within=within) for each in value]
    if isinstance(value, str):
        return _string(key, value, hide, within)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if _is_odd(value) else value


def _is_odd(value: Any) -> bool:
    """Tell whether JSON has no such number, or its readers make another one of it."""
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and abs(value) > _LARGEST


def _string(key: str, value: str, hide: Callable[[str], str], within: str) -> str:
    if REFERENCE.match(value) or key in _TOLD:
        return value
    if _is_secret(key, value, within):
        return hide(value)
    return _address(value, hide) if "://" in value else value


def _is_secret(key: str, value: str, within: str) -> bool:
    if within == "auth":
        return key not in _OPEN
    if within == "headers" and SECRET_PART.fullmatch(value):
        return True
    return SECRET_NAME.search(key) is not None


def _address(url: str, hide: Callable[[str], str]) -> str:
    """Return a URL without password, drawn parts of its path, and secrets of its query."""
    scheme, _, rest = url.partition("://")
    if scheme.startswith("postgres") and "@" in rest:  # a password may hold any sign
        authority, _, tail = rest.rpartition("@")
        host = _END.search(tail)
        cut = host.start() if host else len(tail)
        authority, tail = f"{authority}@{tail[:cut]}", tail[cut:]
    else:
        end = _END.search(rest)
        cut = end.start() if end else len(rest)
        authority, tail = rest[:cut], rest[cut:]
    path, question, query = tail.partition("?")
    parts = [hide(part) if SECRET_PART.fullmatch(part) else part for part in path.split("/")]
    pairs = [_pair(pair, hide) for pair in query.split("&")]
    return f"{scheme}://{_authority(authority, hide)}{'/'.join(parts)}{question}{'&'.join(pairs)}"


def _authority(text: str, hide: Callable[[str], str]) -> str:
    who, at, host = text.rpartition("@")
    name, colon, password = who.partition(":")
    if not colon and SECRET_PART.fullmatch(name):
        name = hide(name)
    return f"{name}{colon}{hide(password)}{at}{host}"


def _pair(text: str, hide: Callable[[str], str]) -> str:
    name, equals, value = text.partition("=")
    secret = SECRET_NAME.search(name) or SECRET_PART.fullmatch(value)
    return f"{name}{equals}{hide(value) if secret else value}"


def _differences(place: str, before: Any, after: Any) -> Iterator[Difference]:
    if _is_table(before) and _is_table(after):
        for key in sorted(before.keys() | after.keys()):
            inner = ".".join(part for part in (place, _key(key)) if part)
            yield from _differences(inner, before.get(key), after.get(key))
        return
    old, new = _by_name(before), _by_name(after)
    if old is not None and new is not None and _same_order(old, new):
        yield from _differences(place, old, new)
    elif _json(before) != _json(after):  # 1, 1.0 and true are equal in Python, not in a file
        yield Difference(place, before, after)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _by_name(value: Any) -> dict[str, Any] | None:
    """Return a list of named tables by name; None: it is none, or a name stands twice."""
    if not isinstance(value, list) or not all(_is_table(each) for each in value):
        return None
    names = [each.get("name") for each in value]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return None
    return dict(zip(names, value, strict=True))


def _same_order(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether what is in both stands in the same order."""
    return [one for one in before if one in after] == [one for one in after if one in before]


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _text(text)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _lines(place: str, tree: Mapping[str, Any]) -> Iterator[str]:
    tables = {key: each for key, each in tree.items() if _is_table(each) and each}
    for key in sorted(tree.keys() - tables.keys()):
        yield f"{_key(key)} = {_inline(tree[key])}"
    for key in sorted(tables):
        inner = ".".join(part for part in (place, _key(key)) if part)
        inside = list(_lines(inner, tables[key]))
        if inside[0]:  # else it holds tables alone, which name it
            yield from ("", f"[{inner}]")
        yield from inside


def _inline(value: Any) -> str:
    if _is_table(value):
        inner = ", ".join(f"{_key(key)} = {_inline(value[key])}" for key in sorted(value))
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_inline(each) for each in value)}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)
