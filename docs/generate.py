"""Writes the generated reference pages, so that they cannot differ from the code.

`make docs` runs it; a test compares its result with the files.
"""

# ruff: noqa: INP001  # a script beside the pages that it writes

import inspect
import json
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import typer
from permitting import permission_page
from reading import attributes, constants, error_codes, metrics, summary
from writing import Ranges, allowed_of, asked, fields, page, table

from holdfast import config
from holdfast.api.door import HANDLERS
from holdfast.api.schema import openapi
from holdfast.cli import app
from holdfast.model import attempt, calendar, delivery, flow, throttle
from holdfast.model import policy as policies
from holdfast.model import rule as rules
from holdfast.model.delivery import TRANSITIONS, Status, Verb
from holdfast.policy import (
    backoff,
    check,
    check_calendar,
    expression,
    facts,
    precedence,
    ruling,
)
from holdfast.telemetry import LogEvent

HERE: Final = Path(__file__).parent
REFERENCE: Final = HERE / "reference"
_ENDPOINT: Final = flow.Endpoint(url="https://partner.example/leads")


# -- the pages ------------------------------------------------------------------------------

_CONFIGURATION: Final = """
`holdfast.toml` in the working directory, or the file that `--config` or `HOLDFAST_CONFIG` names.
Precedence: options of the command line, `HOLDFAST_*` variables, the file, the defaults.
Durations are seconds unless the key says otherwise; sizes are bytes.
A string in `[server]` or `[recipients]` may be `env:NAME` or `file:PATH`: keep secrets there.
A value that cannot be used is refused with file, place, value and allowed range.
`holdfast check` reads the configuration and starts nothing.
"""


def configuration() -> str:
    """Return the page of every configuration key."""
    kinds = typing.get_type_hints(config.Config)
    parts = [
        table(
            ("Key", "Allowed", "Default", "Meaning"),
            [("`data`", "a path", '`".holdfast"`', "folder of the store and the keys, mode 0700")],
        )
    ]
    for name in config.SECTIONS:
        parts += [f"## [{name}]\n", _first(kinds[name]), fields(kinds[name])]
    parts += [
        "## [policy]\n",
        "The global level; every field is on [its own page](policy.md).\n",
        "## [limits]\n",
        _first(flow.Limits),
        fields(flow.Limits, ranges=lambda _: "low and high"),
        "## [templates.NAME]\n",
        "Policy fields under a name that `template` can refer to.\n",
        "## [accounts.NAME]\n",
        _first(flow.Account),
        fields(flow.Account, without=("name",)),
        "## [recipients.NAME]\n",
        "A partner's system: one lane. With a single endpoint its keys stand here directly.\n",
        fields(flow.Recipient, ranges=_recipient_ranges(), without=("name",)),
        "## [[recipients.NAME.endpoints]]\n",
        _first(flow.Endpoint),
        fields(flow.Endpoint, ranges=asked(_ENDPOINT, lambda one: check.endpoint(one, "endpoint"))),
        _auth(),
        *_lanes(),
        "## [flows.NAME]\n",
        _first(flow.Flow),
        fields(flow.Flow, without=("name",)),
        "## [[flows.NAME.steps]]\n",
        _first(flow.Step),
        fields(flow.Step),
        "## [flows.NAME.contact_hours]\n",
        _first(calendar.ContactHours),
        fields(calendar.ContactHours),
        "## [[rules]]\n",
        _first(rules.DeliveryRule) + "How to: [write a rule](../howto/write-a-rule.md).\n",
        fields(rules.DeliveryRule),
        "## [rules.then]\n",
        "Moments, facts and ranges are on [the page of rules](rules.md).\n",
        fields(rules.Effects, ranges=_effect_ranges()),
        "## Variables\n",
        _variables(),
    ]
    return page("Configuration", _CONFIGURATION, *parts)


def _lanes() -> Iterator[str]:
    """Yield what decides when a lane may send: its breaker, calendars, limits and budget."""
    yield from (
        "## [recipients.NAME.breaker]\n",
        _first(policies.BreakerSettings),
        fields(
            policies.BreakerSettings,
            ranges=asked(policies.BreakerSettings(), lambda one: check.breaker(one, "breaker")),
        ),
    )
    yield from _calendars()
    yield from (
        "## [recipients.NAME.limits]\n",
        _first(throttle.RateLimits),
        fields(
            throttle.RateLimits,
            ranges=asked(throttle.RateLimits(), lambda one: check.rate_limits(one, "limits")),
        ),
        "## [recipients.NAME.budget] and [accounts.NAME.budget]\n",
        _first(throttle.BudgetSettings),
        fields(
            throttle.BudgetSettings,
            ranges=asked(throttle.BudgetSettings(), lambda one: check.budget(one, "budget")),
        ),
    )


def _calendars() -> Iterator[str]:
    """Yield the sections of what goes by the calendar."""
    week = (calendar.Period(days=("mon",), start="09:00", end="17:00"),)
    hours = calendar.Hours(periods=week, mode="modulate")
    checked = asked(hours, lambda one: check_calendar.hours(one, "hours"))
    cap = calendar.Cap(maximum=1, per="day")
    capped = asked(cap, lambda one: check_calendar.caps((one,), "caps"))
    for title, kind, ranges in (
        ("[recipients.NAME.hours]", calendar.Hours, checked),
        ("[[recipients.NAME.hours.periods]]", calendar.Period, None),
        ("[[recipients.NAME.hours.special]]", calendar.SpecialDay, None),
        ("[recipients.NAME.maintenance]", calendar.Maintenance, None),
        ("[[recipients.NAME.maintenance.windows]]", calendar.MaintenanceWindow, None),
        ("[[recipients.NAME.caps]]", calendar.Cap, capped),
    ):
        yield f"## {title}\n"
        yield _first(kind)
        yield fields(kind, ranges=ranges or (lambda _: None))


def _effect_ranges() -> Ranges:
    return asked(rules.Effects(priority=0), lambda changed: ruling.effects(changed, "then"))


def _recipient_ranges() -> Ranges:
    one = flow.Recipient(name="partner", endpoints=(_ENDPOINT,))
    return asked(one, lambda changed: check.recipient(changed, "recipient"))


def _first(kind: type) -> str:
    return summary(kind) + "\n"


def _auth() -> str:
    rows = []
    for kind in (flow.BasicAuth, flow.BearerAuth, flow.HeaderAuth):
        info = msgspec.inspect.type_info(kind)
        assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101  # they are structs
        keys = ", ".join(f"`{field.encode_name}`" for field in info.fields)
        rows.append((f"`{info.tag}`", keys, _first(kind).strip()))
    return "`auth` is a table whose `type` says which:\n\n" + table(
        ("type", "Keys", "Meaning"), rows
    )


def _variables() -> str:
    names = {
        "HOLDFAST_TOKEN": "server.token",
        "HOLDFAST_DATA": "data",
        "HOLDFAST_STORE": "store.url",
    }
    kinds = typing.get_type_hints(config.Config)
    for section in config.SECTIONS:
        if section in config.FILE_ALONE:
            continue
        for key in kinds[section].__struct_fields__:
            names[f"HOLDFAST_{section}_{key}".upper()] = f"{section}.{key}"
    rows = [(f"`{name}`", f"sets `{place}`") for name, place in names.items()]
    rows += [
        ("`HOLDFAST_CONFIG`", "path of the file"),
        ("`HOLDFAST_URL`", "where the command line finds the API"),
        (
            "`RETRY_STRATEGY`",
            "sets `policy.strategy`: " + ", ".join(f"`{name}`" for name in config.STRATEGIES),
        ),
    ]
    return table(("Variable", "Meaning"), rows)


_POLICY: Final = """
A policy is resolved field by field.
The order is: operator's override, step, flow, recipient, account, global, default.
A `template` fills the fields that its level leaves open.
`max_age` and `max_hint` only tighten: the shortest of all levels wins.
Every retry event carries the resolved policy and, per field, the level it came from (`origin`).
An administrator widens or narrows the ranges in [`[limits]`](configuration.md#limits).
"""


def policy() -> str:
    """Return the page of every policy field with its range and default."""
    limits = flow.Limits()
    checked = asked(policies.PolicySettings(), lambda one: check.settings(one, limits, "policy"))

    def ranges(name: str) -> str | None:
        low, high = getattr(limits, name, (0, 0))
        return checked(name) or (f"{low:.12g} to {high:.12g}" if high else None)

    sequences = []
    for name, settings in precedence.TEMPLATES.items():
        resolved = _resolved(settings)
        delays = ", ".join(f"{s:g}" for s in backoff.schedule(resolved, resolved.max_retries))
        sequences.append((f"`{name}`", f"`{resolved.strategy}`", delays))
    return page(
        "Policy",
        _POLICY,
        fields(policies.PolicySettings, defaults=precedence.DEFAULTS, ranges=ranges),
        "## Templates\n",
        "Delays in seconds before retry 1, 2, ...; without jitter.\n",
        table(("Template", "Strategy", "Delays"), sequences),
        "## [[policy.phases]]\n",
        _first(policies.Phase),
        fields(policies.Phase),
        "## [[policy.rules]]\n",
        _first(policies.Rule),
        fields(policies.Rule),
        "## [policy.cost_stop]\n",
        _first(policies.CostStop),
        fields(policies.CostStop),
        "## [policy.response]\n",
        _first(policies.ResponseMapping),
        fields(policies.ResponseMapping),
        "## Failure classes\n",
        ", ".join(f"`{kind}`" for kind in attempt.FailureClass) + ".\n",
    )


def _resolved(settings: policies.PolicySettings) -> policies.Policy:
    where = flow.Recipient(name="partner", endpoints=(_ENDPOINT,))
    catalog = flow.Catalog(policy=settings)
    return precedence.resolve(catalog, flow=None, step=None, recipient=where)


_RULES: Final = f"""
A rule is a condition in [CEL](https://cel.dev) over the facts below, and what it changes.
Rules are asked in the order of the file, each effect at its one moment.
Of two rules that set the same thing the first decides; `add_retries` and `delay_factor` add up.
A skip beats a hold, and a hold beats a route.
A condition has at most {expression.TEXT_MAX} characters; at most {ruling.STEP_MAX} rules may
apply to one step, {ruling.RULES_MAX} to an installation.
Rules never leave `[limits]`, never touch a failure that would recur, and never change what a
person set for one delivery.
A condition that cannot be evaluated leaves its rule as if absent: it is logged once a minute,
counted in `holdfast_rule_failures_total`, and named in the event of the try.
A hold, a skip and a priority leave an audit line, as there is no try; a skip has an event, too.
How to: [write a rule](../howto/write-a-rule.md).
"""


def rule_page() -> str:
    """Return the page of every effect and every fact of rules."""
    meanings, ranges = attributes(rules.Effects), _effect_ranges()
    told = constants(inspect.getmodule(rules.Moment), "Moment")
    info = msgspec.inspect.type_info(rules.Effects)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101  # the caller's promise
    kinds = {field.name: field.type for field in info.fields}
    return page(
        "Rules",
        _RULES,
        "## Moments\n",
        table(("Moment", "When"), [(f"`{m}`", told[m.name]) for m in rules.Moment]),
        "## Effects\n",
        table(
            ("Effect", "Moment", "Allowed", "Meaning"),
            [
                (f"`{name}`", moment, ranges(name) or allowed_of(kinds[name]), meanings[name])
                for name, moment in rules.MOMENTS.items()
            ],
        ),
        "## Facts\n",
        "A fact is known from its moment on. Whole numbers are `int` and written `3`;\n"
        "numbers with a unit are `double` and written `3.0`.\n",
        table(
            ("Fact", "Type", "From", "Meaning"),
            [(f"`{n}`", one.kind, one.since, one.meaning) for n, one in facts.FACTS.items()]
            + [("`payload.PATH`", "any", "accept", "a path that the rule declares; null if none")],
        ),
    )


_CLI: Final = """
Commands that read or act talk to the API at `--url` (or `HOLDFAST_URL`).
They identify themselves with `--token` (or `HOLDFAST_TOKEN`).
Exit codes: 0 done, 1 refused, 2 wrong usage or configuration, 3 not reachable.
"""


def cli() -> str:
    """Return the page of every command with its options."""
    root = typer.main.get_command(app)
    parts = []
    for name, command in _commands(root, "holdfast"):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join([name, *(p.metavar or p.name.upper() for p in arguments)])
        parts.append(f"## {name}\n\n`{usage}`\n\n{_text(command.help)}\n")
        if rows := [_option(p) for p in command.params if getattr(p, "help", None)]:
            parts.append(table(("Option", "Default", "Meaning"), rows))
    return page("Command line", _CLI, *parts)


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for key, inner in sorted(command.commands.items()):
        yield from _commands(inner, f"{name} {key}")


def _option(parameter: Any) -> tuple[str, str, str]:
    names = parameter.opts if parameter.param_type_name == "option" else [parameter.name]
    given = parameter.default
    shown = "" if given is None or given in (False, "", ()) or callable(given) else f"`{given}`"
    return ", ".join(f"`{name}`" for name in names), shown, _text(parameter.help)


def _text(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").split())


_HTTP: Final = """
JSON over HTTP, described for machines in [openapi.json](../openapi.json).
A running Holdfast answers it at `GET /openapi.json`.
Every error is `application/problem+json` with a stable `code`: see [errors](errors.md).
Lists are pages: `limit` 1 to 1000, `cursor` is the `next_cursor` of the page before.
Instants are ISO 8601, UTC, with milliseconds.
With a token configured every request but the probes carries `Authorization: Bearer TOKEN`.
"""


def http() -> str:
    """Return the page of every route, from the OpenAPI description."""
    described = json.loads(openapi(HANDLERS))
    parts = []
    for path, methods in sorted(described["paths"].items()):
        for method, operation in methods.items():
            parts.append(f"## {method.upper()} {path}\n")
            told = operation.get("description") or operation.get("summary") or ""
            parts.append(" ".join(told.split()) + "\n")
            rows = [
                (f"`{p['name']}`", p["in"], _kind(p["schema"]), p.get("description", ""))
                for p in operation.get("parameters", ())
            ]
            if rows:
                parts.append(table(("Parameter", "In", "Allowed", "Meaning"), rows))
            if body := operation.get("requestBody"):
                parts.append(_body(body, described))
            answers = ", ".join(f"`{status}`" for status in sorted(operation["responses"]))
            parts.append(f"Answers: {answers}.\n")
    return page("HTTP API", _HTTP, *parts)


def _body(body: dict[str, Any], described: dict[str, Any]) -> str:
    """Return what a request body holds, by media type."""
    parts = []
    for media, content in body["content"].items():
        schema = content.get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        inner = described["components"]["schemas"].get(name, schema)
        required = set(inner.get("required", ()))
        keys = [
            f"`{key}`" + (" (required)" if key in required else "")
            for key in inner.get("properties", {})
        ]
        parts.append(f"Body (`{media}`): {', '.join(keys) or 'see the description'}.\n")
    return "\n".join(parts)


def _kind(schema: dict[str, Any]) -> str:
    """Return a JSON schema in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(_kind(one) for one in choices if one.get("type") != "null")
    if "enum" in schema:
        return "one of: " + ", ".join(str(one) for one in schema["enum"] if one is not None)
    words = str(schema.get("format") or schema.get("type", "any"))
    if "minimum" in schema and "maximum" in schema:
        words += f" {schema['minimum']} to {schema['maximum']}"
    return words + (f" matching `{schema['pattern']}`" if "pattern" in schema else "")


def metric_page() -> str:
    """Return the page of every metric."""
    rows = [(f"`{name}`", kind, labels, text) for name, kind, labels, text in metrics()]
    return page(
        "Metrics",
        "Prometheus text at `GET /metrics` on the metrics port (9090).",
        table(("Metric", "Kind", "Labels", "Meaning"), rows),
    )


def log_events() -> str:
    """Return the page of every log event."""
    meanings = constants(inspect.getmodule(LogEvent), "LogEvent")
    return page(
        "Log events",
        "One JSON object a line: `time`, `level`, `event` and the fields named below.\n"
        "Fields never hold payloads or secrets.",
        table(
            ("Event", "Meaning (fields)"),
            [(f"`{event.value}`", meanings[event.name]) for event in LogEvent],
        ),
    )


_STATES: Final = """
The whole life of a delivery; nothing else is allowed.
"In flight" is a fact of the lane's owner, not a stored status.
"""


def states() -> str:
    """Return the page of the transition table, with a diagram."""
    meanings = constants(delivery, "Verb")
    rows = [
        (f"`{verb}`", f"`{before}`", f"`{after}`", meanings[verb.name])
        for verb in Verb
        for before, after in TRANSITIONS[verb].items()
    ]
    arrows: dict[tuple[Status, Status], list[str]] = {}
    for verb in Verb:
        for before, after in TRANSITIONS[verb].items():
            arrows.setdefault((before, after), []).append(verb)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> pending: accept"]
    for (before, after), verbs in arrows.items():
        lines.append(f"    {before} --> {after}: {', '.join(verbs)}")
    return page(
        "States of a delivery",
        _STATES,
        "\n".join([*lines, "```\n"]),
        table(("Verb", "From", "To", "Meaning"), rows),
    )


_ERRORS: Final = """
`code` is stable and meant for programs; `detail` is meant for people.
A failed delivery is data, never one of these: see [codes](codes.md).
"""


def error_page() -> str:
    """Return the page of every error code with its HTTP status."""
    rows = [(f"`{c}`", str(s), text) for c, (s, text) in sorted(error_codes().items())]
    return page("Error codes", _ERRORS, table(("Code", "HTTP status", "Meaning"), rows))


PAGES: Final[dict[str, Callable[[], str]]] = {
    "cli.md": cli,
    "configuration.md": configuration,
    "errors.md": error_page,
    "http.md": http,
    "log-events.md": log_events,
    "metrics.md": metric_page,
    "permissions.md": permission_page,
    "policy.md": policy,
    "rules.md": rule_page,
    "states.md": states,
}


def main() -> None:
    """Write the OpenAPI description and all pages."""
    (HERE / "openapi.json").write_bytes(openapi(HANDLERS))
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(write())


if __name__ == "__main__":
    main()
