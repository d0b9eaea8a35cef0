"""What the code says about itself: docstrings, constants, metrics and error codes."""

# ruff: noqa: INP001  # beside the script that uses it

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from holdfast import errors
from holdfast.api.problem import status_of

SOURCE: Final = Path(__file__).parents[1] / "src" / "holdfast"
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_REFUSED: Final = re.compile(r'Refused\(\s*(\d{3}),\s*"([A-Z_]+)"')
_METRIC_CALLS: Final = frozenset(
    {"CounterMetricFamily", "GaugeMetricFamily", "HistogramMetricFamily"}
    | {"_counter", "_gauge", "_histogram"}
)


def attributes(kind: type) -> dict[str, str]:
    """Return name -> meaning from the `Attributes:` section of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = inspect.cleandoc(base.__doc__ or "")
        _, _, section = text.partition("Attributes:\n")
        for name, meaning in _ATTRIBUTE.findall(section):
            found[name] = " ".join(meaning.split())
    return found


def constants(module: Any, name: str) -> dict[str, str]:
    """Return constant -> the docstring below it, of a class in a module."""
    tree = ast.parse(inspect.getsource(module))
    body = next(n.body for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name)
    found: dict[str, str] = {}
    last = ""
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            last = node.targets[0].id
            found[last] = ""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and last:
            found[last] = " ".join(str(node.value.value).split())
    return found


def metrics() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, kind, labels and meaning of every metric, as the exposition makes them."""
    tree = ast.parse((SOURCE / "engine" / "exposition.py").read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) not in _METRIC_CALLS:
            continue
        name, text = node.args[0], node.args[1]
        if not isinstance(name, ast.Constant) or not isinstance(text, ast.Constant):
            continue  # inside one of the exposition's own functions
        kind = ast.unparse(node.func).lower().strip("_").removesuffix("metricfamily")
        labels = next((k.value for k in node.keywords if k.arg == "labels"), None)
        shown = ", ".join(_labels(labels, tree)) if labels is not None else ""
        suffix = "_total" if kind == "counter" else ""
        yield f"{name.value!s}{suffix}", kind, shown, f"{text.value!s}"


def _labels(node: ast.expr, tree: ast.Module) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        node = next(
            n.value
            for n in ast.walk(tree)
            if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == node.id
        )
    return tuple(ast.literal_eval(node))


def door_codes() -> dict[str, int]:
    """Return code -> HTTP status of what the API turns away by itself."""
    found = {"INTERNAL": 500, "METHOD_NOT_ALLOWED": 405, "TOO_LARGE": 413}
    for path in sorted((SOURCE / "api").rglob("*.py")):
        found |= {code: int(status) for status, code in _REFUSED.findall(path.read_text())}
    return found


def summary(kind: type) -> str:
    """Return the first line of a class's docstring."""
    return inspect.cleandoc(kind.__doc__ or "").splitlines()[0]


def error_codes() -> dict[str, tuple[int, str]]:
    """Return code -> (HTTP status, meaning) of every error."""
    found: dict[str, tuple[int, str]] = {}
    queue: list[type[errors.HoldfastError]] = [errors.HoldfastError]
    while queue:
        kind = queue.pop()
        queue += [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
        if kind is not errors.HoldfastError:
            found[kind.code] = (status_of(kind.__new__(kind)), summary(kind))
    doors = {name: status for name, status in door_codes().items() if name not in found}
    return found | {name: (status, _DOOR[name]) for name, status in doors.items()}


_DOOR: Final = {
    "CSRF": "A change with a session's cookie lacks the header `Holdfast-Csrf`.",
    "ELEVATION_REQUIRED": "An emergency action without `POST /v1/elevation` before it.",
    "HOST_NOT_ALLOWED": "The Host header is not one of ours; see `server.allowed_hosts`.",
    "INTERNAL": "An error that nobody foresaw; the log tells more.",
    "MALFORMED_JSON": "The body is not JSON; the position is named.",
    "METHOD_NOT_ALLOWED": "The route does not take this method.",
    "NOT_READY": "The store does not take writes now.",
    "ORIGIN_NOT_ALLOWED": "A browser page of another origin asked.",
    "REQUEST_TIMEOUT": "The body took too long to arrive.",
    "SESSION_ENDED": "The session of the cookie has ended; sign in again.",
    "TOO_LARGE": "The body or the payload is larger than allowed.",
    "TOO_MANY_TRIES": "Too many tries to sign in; come back after `Retry-After` seconds.",
    "UNAUTHORIZED": "The bearer token is missing or wrong.",
    "UNSUPPORTED_MEDIA_TYPE": "The content type is another than the route takes.",
    "WRONG_PASSWORD": "The name or the password is wrong, or the user is disabled.",
}
