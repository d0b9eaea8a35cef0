"""Conditions in CEL, the Common Expression Language: checked at load, compiled once.

The checker knows the type of every fact, so a wrong name and a comparison that cannot work are
refused with line and column before anything runs. CEL has no loops; its macros over lists are
bounded by the length of the text, the facts are small, and regular expressions run in linear
time (RE2): an evaluation ends.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from cel_expr_python import cel

from holdfast.errors import InvalidInput
from holdfast.model.rule import Moment
from holdfast.policy.facts import known_at

TEXT_MAX: Final = 1000
"""Longest condition, in characters."""
ERROR_MAX: Final = 200
_PLACE: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNKNOWN: Final = re.compile(r"undeclared reference to '([^']*)'")
_TEXTS: Final = re.compile(
    r"//[^\n]*|\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}"
    r"|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'",
    re.DOTALL,
)
"""Comments and texts, whichever begins first."""
_NAME: Final = re.compile(r"\b([a-z_]\w*)(?:\s*\.\s*(\w+))?")
_KINDS: Final = {
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "bool": cel.Type.BOOL,
    "list(string)": cel.Type.List(cel.Type.STRING),
    "map(string, double)": cel.Type.Map(cel.Type.STRING, cel.Type.DOUBLE),
}


class Failed(Exception):  # said of a condition, and caught where it is asked
    """A condition could not be evaluated; the message says why."""


class Condition(msgspec.Struct, frozen=True, gc=False):
    """A compiled condition.

    Attributes:
        facts: names of the facts that it may look at.
        program: the compiled expression.
    """

    facts: frozenset[str]
    program: Any

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Tell whether it is true for the facts.

        Raises:
            Failed: it cannot be said, for example because a signal is not set.
        """
        try:
            found = self.program.eval(data=facts)
            value = found.value()
            kind = found.type().name() if not isinstance(value, bool) else ""
        except Exception as error:
            raise Failed(f"{error}"[:ERROR_MAX]) from error
        if isinstance(value, bool):
            return value
        if kind != "ERROR":  # never the value itself: it may be of the payload
            raise Failed(f"it gave {kind}, neither true nor false")
        raise Failed(str(value)[:ERROR_MAX])


@lru_cache(maxsize=4096)
def compiled(text: str, moment: Moment, payload: tuple[str, ...] = ()) -> Condition:
    """Return a condition over the facts that are known at a moment.

    Args:
        text: the CEL expression.
        moment: when it is asked.
        payload: dotted paths of the payload that it may read.

    Raises:
        InvalidInput: field `when`; it is too long, is no CEL, names what is not known, compares
            what cannot be compared, or does not give true or false. Line and column are named.
    """
    if not 1 <= len(text) <= TEXT_MAX:
        raise InvalidInput("when", f"{len(text)} characters", f"1 to {TEXT_MAX} characters")
    try:
        program = _environment(moment, payload).compile(text)
    except RuntimeError as error:
        raise InvalidInput("when", text, _explained(str(error), moment, payload)) from error
    kind = program.return_type().name()
    if kind not in {"BOOL", "DYN"}:
        raise InvalidInput("when", text, f"an expression that gives true or false, not {kind}")
    names = _NAME.findall(_TEXTS.sub(" ", text))
    words = {f"{head}.{tail}" for head, tail in names} | {head for head, _ in names}
    return Condition(frozenset(words & known_at(moment).keys()), program)


@lru_cache(maxsize=256)
def _environment(moment: Moment, payload: tuple[str, ...]) -> cel.Env:
    variables = {name: _KINDS[fact.kind] for name, fact in known_at(moment).items()}
    variables |= {f"payload.{path}": cel.Type.DYN for path in payload}
    return cel.NewEnv(variables=variables)


def _explained(error: str, moment: Moment, payload: tuple[str, ...]) -> str:
    """Return the library's complaint with its place, and what would be allowed."""
    found = _PLACE.search(error)
    if found is None:
        return f"a shorter or simpler CEL expression ({error.splitlines()[0][:200]})"
    line, column, told = found.groups()
    where = f"line {line}, column {column}: "
    if unknown := _UNKNOWN.search(told):
        names = [*known_at(moment), *(f"payload.{path}" for path in payload)]
        known = ", ".join(sorted(names))
        return f"{where}{unknown[1]!r} is not known at the moment {moment!r}; known: {known}"
    if "(double, int)" in told or "(int, double)" in told:
        told += "; write numbers for a double with a point (3.0), for an int without (3)"
    return f"{where}{told.split(' expecting {')[0]}"
