"""Turns msgspec's refusals into errors that name field, value and allowed range (promise 9)."""

import difflib
import re
from typing import Any, Final

import msgspec
from msgspec import inspect

from holdfast.errors import InvalidInput

_PLACE: Final = re.compile(r" - at `\$(?P<path>.*)`$", re.DOTALL)
_PART: Final = re.compile(r"\.(?P<field>[^.\[\]]+)|\[(?P<index>[^\]]*)\]")
_NAMED: Final = re.compile(r"(?P<what>unknown|missing required) field `(?P<field>.*?)`")
_SECRET: Final = re.compile(r"(^|[.\[])(auth|secrets|headers|token|password|proxy)\b")
_SHOWN: Final = 80
"""Longer values are cut in messages."""


def explain(error: msgspec.ValidationError, data: object, kind: Any) -> InvalidInput:
    """Return the error that names what msgspec refused.

    Args:
        error: what converting `data` to `kind` raised.
        data: the builtin values (dicts, lists, ...) that were converted.
        kind: the type.
    """
    text = str(error)
    found = _PLACE.search(text)
    path = found["path"] if found else ""
    node, value, place = _walk(inspect.type_info(kind), data, path)
    named = _NAMED.search(text)
    if named is None:
        return refuse(place, value, describe(node))
    field = f"{place}.{named['field']}".lstrip(".")
    inner = _struct(node, value)
    if named["what"] == "unknown":
        given = value.get(named["field"]) if isinstance(value, dict) else None
        return refuse(field, given, _names(inner, named["field"]))
    wanted = next((f.type for f in inner.fields if f.encode_name == named["field"]), node)
    return refuse(field, None, f"{describe(wanted)}; it is required")


def refuse(field: str, value: object, allowed: str) -> InvalidInput:
    """Return an `InvalidInput` whose value is short and, in secret places, hidden."""
    if value is not None and _SECRET.search(field):
        value = "***"
    elif isinstance(value, str):
        value = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
    elif not isinstance(value, int | float | None):
        shown = repr(value)
        value = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    return InvalidInput(field or "body", value, allowed)


def describe(node: inspect.Type) -> str:
    """Return in words what a type allows."""
    match node:
        case inspect.Metadata(type=inner):
            return describe(inner)
        case inspect.UnionType(types=types):
            return " or ".join(describe(t) for t in types if not isinstance(t, inspect.NoneType))
        case _:
            return _scalar(node) or _container(node)


def _scalar(node: inspect.Type) -> str:
    text = ""
    match node:
        case inspect.IntType() | inspect.FloatType():
            text = _number(node)
        case inspect.StrType():
            text = _text(node)
        case inspect.BoolType():
            text = "true or false"
        case inspect.DateType():
            text = "a date such as 2026-01-31"
        case inspect.DateTimeType():
            text = "an ISO 8601 date-time with offset, such as 2026-01-31T12:00:00Z"
        case inspect.LiteralType(values=values):
            text = "one of: " + ", ".join(_word(value) for value in values)
        case inspect.EnumType(cls=enum):
            text = "one of: " + ", ".join(str(member.value) for member in enum)
    return text


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _container(node: inspect.Type) -> str:
    match node:
        case inspect.StructType(fields=fields, tag=tag, tag_field=tag_field):
            names = [str(tag_field) + f' = "{tag}"'] if tag_field else []
            return "an object with: " + ", ".join(names + [f.encode_name for f in fields])
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return f"a list, each {describe(item)}"
        case inspect.TupleType(item_types=items):
            return f"a list of {len(items)}: " + ", ".join(describe(item) for item in items)
        case inspect.DictType() | inspect.RawType():
            return "an object"
        case _:
            return "another value"


def _number(node: inspect.IntType | inspect.FloatType) -> str:
    word = "an integer" if isinstance(node, inspect.IntType) else "a number"
    low = node.ge if node.ge is not None else node.gt
    high = node.le if node.le is not None else node.lt
    above = "above " if node.gt is not None else ""
    below = "below " if node.lt is not None else ""
    if low is not None and high is not None:
        return f"{word} from {above}{_plain(low)} to {below}{_plain(high)}"
    if low is not None:
        return f"{word}, {above or 'at least '}{_plain(low)}"
    if high is not None:
        return f"{word}, {below or 'at most '}{_plain(high)}"
    return word


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _text(node: inspect.StrType) -> str:
    word = "text"
    if node.max_length is not None:
        word += f" of {node.min_length or 0} to {node.max_length} characters"
    elif node.min_length:
        word += f" of at least {node.min_length} characters"
    return f"{word} matching {node.pattern}" if node.pattern else word


def _names(node: inspect.StructType, given: str) -> str:
    names = [field.encode_name for field in node.fields]
    near = difflib.get_close_matches(given, names, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return "one of: " + ", ".join(sorted(names)) + hint


def _struct(node: inspect.Type, value: object) -> inspect.StructType:
    """Return the object type that `value` was converted to, of a union the one it names."""
    if isinstance(node, inspect.Metadata):
        return _struct(node.type, value)
    if isinstance(node, inspect.StructType):
        return node
    if not isinstance(node, inspect.UnionType):
        raise TypeError(f"{node} is not an object type")  # msgspec would not name a field in it
    structs = [kind for kind in node.types if isinstance(kind, inspect.StructType)]
    for kind in structs:
        if kind.tag_field and isinstance(value, dict) and value.get(kind.tag_field) == kind.tag:
            return kind
    return structs[0]


def _walk(node: inspect.Type, value: Any, path: str) -> tuple[inspect.Type, Any, str]:
    """Follow msgspec's path; return the type and the value there and the place in words."""
    place = ""
    for part in _PART.finditer(path):
        if isinstance(node, inspect.UnionType) and part["index"] is not None:
            node = next(t for t in node.types if not isinstance(t, inspect.NoneType))
        if part["field"] is not None:
            place += "." + part["field"]
            node, value = _field(node, value, part["field"])
        else:
            node, value, name = _item(node, value, part["index"])
            place += name
    return node, value, place.lstrip(".")


def _field(node: inspect.Type, value: Any, name: str) -> tuple[inspect.Type, Any]:
    given = value.get(name) if isinstance(value, dict) else None
    inner = _struct(node, value)
    for field in inner.fields:
        if field.encode_name == name:
            return field.type, given
    return _tags(node), given


def _tags(node: inspect.Type) -> inspect.Type:
    """Return the tag names of a union: a path that is no field leads to its tag."""
    kinds = node.types if isinstance(node, inspect.UnionType) else (node,)
    tags = [kind.tag for kind in kinds if isinstance(kind, inspect.StructType)]
    return inspect.LiteralType(tuple(tag for tag in tags if tag is not None))


def _item(node: inspect.Type, value: Any, index: str) -> tuple[inspect.Type, Any, str]:
    if isinstance(node, inspect.DictType):  # msgspec does not say which key: find it
        for key, inner in value.items():
            if not _plausible(node.value_type, inner):
                return node.value_type, inner, f".{key}"
        return node.value_type, value, ""
    kinds: tuple[inspect.Type, ...] = ()
    if isinstance(node, inspect.TupleType):
        kinds = node.item_types
    elif isinstance(node, inspect.VarTupleType | inspect.ListType):
        kinds = (node.item_type,)
    at = int(index)
    return kinds[min(at, len(kinds) - 1)], value[at], f".{at}"


def _plausible(node: inspect.Type, value: object) -> bool:
    return isinstance(value, str) if isinstance(node, inspect.StrType) else True
