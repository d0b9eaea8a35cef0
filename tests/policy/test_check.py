"""Catalogs: everything that is wrong is refused with its place, its value and what is allowed."""

import base64
from typing import Any

import pytest

from holdfast.errors import InvalidInput
from holdfast.model.attempt import Result
from holdfast.model.flow import (
    Account,
    BasicAuth,
    BearerAuth,
    Catalog,
    Endpoint,
    Flow,
    HeaderAuth,
    Limits,
    Recipient,
    Step,
)
from holdfast.model.policy import BreakerSettings, PolicySettings, ResponseMapping, Rule
from holdfast.policy.precedence import validate

URL = "https://acme.example/leads"


def secret(size: int) -> str:
    """Return a Standard Webhooks secret of so many bytes."""
    return "whsec_" + base64.b64encode(b"s" * size).decode()


def catalog(
    *,
    recipient: dict[str, Any] | None = None,
    endpoint: dict[str, Any] | None = None,
    flow: dict[str, Any] | None = None,
    **more: Any,
) -> Catalog:
    """Build a sound catalog with one flow and one recipient, with changes."""
    endpoints = (Endpoint(**({"url": URL} | (endpoint or {}))),)
    partner = Recipient(**({"name": "acme", "endpoints": endpoints} | (recipient or {})))
    steps = (Step(name="crm", recipient="acme"),)
    leads = Flow(**({"name": "leads", "steps": steps} | (flow or {})))
    entries: dict[str, Any] = {"recipients": {"acme": partner}, "flows": {"leads": leads}}
    return Catalog(**(entries | more))


GOOD: list[dict[str, Any]] = [
    {},
    {"endpoint": {"url": "http://127.0.0.1:8080/a?b={{lead.id}}&m={{message.id}}"}},
    {"endpoint": {"url": "https://[::1]/x", "name": "Main.1"}},
    {"endpoint": {"secrets": (secret(24), secret(64)), "headers": {"X-A": "b c"}}},
    {"endpoint": {"auth": BasicAuth("u", "p:q")}},
    {"endpoint": {"auth": BearerAuth("t")}},
    {"endpoint": {"auth": HeaderAuth("X-Key", "v"), "proxy": "http://proxy:3128"}},
    {"endpoint": {"body": "raw", "template": "x={{a}}"}},
    {"recipient": {"concurrency": 1, "weight": 0.5, "breaker": BreakerSettings(ramp=(1.0,))}},
    {"flow": {"strip": ("a.b",), "keep": ("a", "c.*.d"), "mask": ("a",)}},
    {"limits": Limits(max_retries=(0, 100)), "policy": PolicySettings(max_retries=0)},
    {"templates": {"slow": PolicySettings(initial_delay=50.0)}},
    {
        "policy": PolicySettings(
            rules=(Rule("r", Result.ERROR, status=("5xx",), header=("X", "a|b"), path="a.0"),),
            retry_on=("418", "tls"),
            never_retry=("500-502",),
            response=ResponseMapping(outcome_search_term="/ok/i", outcome_search_path="/a/b"),
        )
    },
]


@pytest.mark.parametrize("changes", GOOD, ids=lambda changes: ",".join(changes) or "plain")
def test_sound_catalogs_pass(changes: dict[str, Any]) -> None:
    """What is right is not refused."""
    validate(catalog(**changes))


def recipient(field: str, value: Any) -> dict[str, Any]:
    """Change a field of the recipient."""
    return {"recipient": {field: value}}


def endpoint(field: str, value: Any) -> dict[str, Any]:
    """Change a field of the endpoint."""
    return {"endpoint": {field: value}}


def breaker(**changes: Any) -> dict[str, Any]:
    """Change the recipient's breaker."""
    return recipient("breaker", BreakerSettings(**changes))


def steps(*values: Step) -> dict[str, Any]:
    """Change the flow's steps."""
    return {"flow": {"steps": values}}


def rule(**changes: Any) -> dict[str, Any]:
    """Set one rule on the global level."""
    given = Rule(**({"name": "r", "result": Result.ERROR} | changes))
    return {"policy": PolicySettings(rules=(given,))}


def response(**changes: Any) -> dict[str, Any]:
    """Set a response mapping on the global level."""
    return {"policy": PolicySettings(response=ResponseMapping(**changes))}


R, E, B = "recipients.acme", "recipients.acme.endpoints.0", "recipients.acme.breaker"
CRM = Step(name="crm", recipient="acme")
TWICE = (Endpoint(url=URL), Endpoint(url=URL))

BAD: list[tuple[dict[str, Any], str, str]] = [
    (endpoint("url", "ftp://acme.example/"), f"{E}.url", "https://"),
    (endpoint("url", "acme.example"), f"{E}.url", "https://"),
    (endpoint("url", "https://"), f"{E}.url", "https://"),
    (endpoint("url", "https://a:99999/"), f"{E}.url", "https://"),
    (endpoint("url", "https://[::1/"), f"{E}.url", "https://"),
    (endpoint("url", "https://a/b c"), f"{E}.url", "no blanks"),
    (endpoint("url", "https://a/\r\nX: y"), f"{E}.url", "no blanks"),
    (endpoint("url", "https://a/{{x"), f"{E}.url", "closed"),
    (endpoint("url", "https://{{host}}/"), f"{E}.url", "path and query"),
    (endpoint("url", "https://u:p@a/"), f"{E}.url", "use auth"),
    (endpoint("name", "a b"), f"{E}.name", "1 to 64"),
    (endpoint("headers", {"X Y": "z"}), f"{E}.headers.X Y", "header name"),
    (endpoint("headers", {"X": "a\r\nb"}), f"{E}.headers.X", "one line"),
    (endpoint("headers", {"Idempotency-Key": "x"}), f"{E}.headers.Idempotency-Key", "not one of"),
    (endpoint("auth", BasicAuth("a:b", "c")), f"{E}.auth.username", "no colon"),
    (endpoint("auth", BasicAuth("a", "c\n")), f"{E}.auth.password", "one line"),
    (endpoint("auth", BearerAuth("a\n")), f"{E}.auth.token", "one line"),
    (endpoint("auth", HeaderAuth("a b", "c")), f"{E}.auth.name", "header name"),
    (endpoint("auth", HeaderAuth("a", "c\n")), f"{E}.auth.value", "one line"),
    (endpoint("secrets", (secret(23),)), f"{E}.secrets.0", "24 to 64"),
    (endpoint("secrets", (secret(24), secret(65))), f"{E}.secrets.1", "24 to 64"),
    (endpoint("secrets", ("hello",)), f"{E}.secrets.0", "whsec_"),
    (endpoint("secrets", ("whsec_" + "*" * 40,)), f"{E}.secrets.0", "base64"),
    (endpoint("secrets", (secret(24)[6:],)), f"{E}.secrets.0", "whsec_"),
    (endpoint("body", "raw"), f"{E}.template", "body is raw"),
    (endpoint("connect_timeout", 0.0), f"{E}.connect_timeout", "0.01 to 3600"),
    (endpoint("read_timeout", -1.0), f"{E}.read_timeout", "0.01 to 3600"),
    (endpoint("total_timeout", float("inf")), f"{E}.total_timeout", "0.01 to 3600"),
    (endpoint("capture_bytes", -1), f"{E}.capture_bytes", "0 to 16777216"),
    (endpoint("proxy", "proxy"), f"{E}.proxy", "http://proxy:3128"),
    (recipient("endpoints", ()), f"{R}.endpoints", "at least one"),
    (recipient("endpoints", TWICE), f"{R}.endpoints", "once"),
    (recipient("concurrency", 0), f"{R}.concurrency", "1 to 10000"),
    (recipient("weight", 0.0), f"{R}.weight", "0.01 to 100"),
    (recipient("account", "other"), f"{R}.account", "default"),
    (recipient("name", "other"), f"{R}.name", "'acme'"),
    (recipient("policy", PolicySettings(max_retries=99)), f"{R}.policy.max_retries", "1 to 10"),
    (breaker(consecutive=0), f"{B}.consecutive", "1 to 1000"),
    (breaker(failure_rate=0.0), f"{B}.failure_rate", "0.01 to 1"),
    (breaker(failure_rate=1.1), f"{B}.failure_rate", "0.01 to 1"),
    (breaker(window=61), f"{B}.window", "1 to 60"),
    (breaker(min_calls=21), f"{B}.min_calls", "1 to 20 (window)"),
    (breaker(open_seconds=301.0), f"{B}.open_seconds", "0.1 to 300"),
    (breaker(open_max_seconds=90_000.0), f"{B}.open_max_seconds", "0.1 to 86400"),
    (breaker(open_jitter=1.0), f"{B}.open_jitter", "0 to 0.9"),
    (breaker(success_threshold=0), f"{B}.success_threshold", "1 to 100"),
    (breaker(ramp_seconds=0.0), f"{B}.ramp_seconds", "0.1 to 3600"),
    (breaker(ramp=()), f"{B}.ramp", "rise to 1"),
    (breaker(ramp=(0.5, 0.25, 1.0)), f"{B}.ramp", "rise to 1"),
    (breaker(ramp=(0.5,)), f"{B}.ramp", "rise to 1"),
    (breaker(ramp=(0.0, 1.0)), f"{B}.ramp", "rise to 1"),
    (breaker(ramp=(0.5, 1.0, 2.0)), f"{B}.ramp", "rise to 1"),
    (steps(), "flows.leads.steps", "at least one"),
    (steps(CRM, CRM), "flows.leads.steps", "once"),
    (steps(Step(name="crm", recipient="acmee")), "flows.leads.steps.crm.recipient", "acme"),
    (steps(Step(name="c m", recipient="acme")), "flows.leads.steps.0.name", "1 to 64"),
    (
        steps(Step(name="crm", recipient="acme", policy=PolicySettings(multiplier=9.0))),
        "flows.leads.steps.crm.policy.multiplier",
        "1.5 to 3",
    ),
    ({"flow": {"account": "other"}}, "flows.leads.account", "default"),
    ({"flow": {"name": "other"}}, "flows.leads.name", "'leads'"),
    ({"flow": {"mask": ("a..b",)}}, "flows.leads.mask.0", "lead.phones.0"),
    ({"flow": {"strip": ("",)}}, "flows.leads.strip.0", "lead.phones.0"),
    ({"flow": {"keep": ("a", "b.")}}, "flows.leads.keep.1", "lead.phones.0"),
    (
        {"flow": {"account": "two"}, "accounts": {"two": Account(name="two")}},
        "flows.leads.steps.crm.recipient",
        "account 'two'",
    ),
    ({"accounts": {"two": Account(name="three")}}, "accounts.two.name", "'two'"),
    (
        {"accounts": {"two": Account(name="two", policy=PolicySettings(max_retries=0))}},
        "accounts.two.policy.max_retries",
        "1 to 10",
    ),
    ({"policy": PolicySettings(max_retries=0)}, "policy.max_retries", "1 to 10"),
    ({"policy": PolicySettings(retry_on=("5x",))}, "policy.retry_on.0", "503, 5xx"),
    ({"policy": PolicySettings(retry_on=("tls", "wet"))}, "policy.retry_on.1", "timeout"),
    ({"policy": PolicySettings(never_retry=("600-500",))}, "policy.never_retry.0", "500-599"),
    (rule(name=""), "policy.rules.0.name", "1 to 200"),
    (rule(status=("oops",)), "policy.rules.0.status.0", "503, 5xx"),
    (rule(header=("a b", "c")), "policy.rules.0.header.0", "header name"),
    (rule(header=("a", "(")), "policy.rules.0.header.1", "regular expression"),
    (rule(body="["), "policy.rules.0.body", "regular expression"),
    (rule(path="$.a"), "policy.rules.0.path", "JSON path"),
    (rule(path="/a["), "policy.rules.0.path", "XPath"),
    (rule(equals="x"), "policy.rules.0.equals", "together with path"),
    (rule(delay=-1.0), "policy.rules.0.delay", "0 to 604800"),
    (response(outcome_search_term=""), "policy.response.outcome_search_term", "one character"),
    (response(outcome_search_term="/(/"), "policy.response.outcome_search_term", "expression"),
    (response(outcome_search_path="a"), "policy.response.outcome_search_term", "needed"),
    (response(reason_path="a..b"), "policy.response.reason_path", "JSON path"),
    (response(price_path="/["), "policy.response.price_path", "XPath"),
    ({"templates": {"standard": PolicySettings()}}, "templates.standard", "other than"),
    ({"templates": {"a b": PolicySettings()}}, "templates.a b", "1 to 64"),
    (
        {"templates": {"slow": PolicySettings(template="standard")}},
        "templates.slow.template",
        "nothing inside",
    ),
    (
        {"templates": {"slow": PolicySettings(multiplier=9.0)}},
        "templates.slow.multiplier",
        "1.5 to 3",
    ),
    ({"limits": Limits(max_retries=(5, 1))}, "limits.max_retries.1", "5 to 10000"),
    ({"limits": Limits(multiplier=(0.5, 2.0))}, "limits.multiplier.0", "1 to 100"),
    ({"limits": Limits(max_interval=(1.0, 1e9))}, "limits.max_interval.1", "1 to"),
    ({"limits": Limits(initial_delay=(-1.0, 2.0))}, "limits.initial_delay.0", "0 to"),
]


@pytest.mark.parametrize(("changes", "field", "allowed"), BAD, ids=lambda v: str(v)[:60])
def test_unsound_catalogs_are_refused(changes: dict[str, Any], field: str, allowed: str) -> None:
    """Promise 9: the error names the field and what is allowed."""
    with pytest.raises(InvalidInput) as caught:
        validate(catalog(**changes))
    assert caught.value.field == field
    assert allowed in caught.value.allowed


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "ä", "a" * 65, "a\n"])
def test_bad_names(name: str) -> None:
    """Names fit URLs, metrics and file names, for every kind of entry."""
    partner = Recipient(name=name, endpoints=(Endpoint(url=URL),))
    for place in (
        Catalog(recipients={name: partner}),
        Catalog(accounts={name: Account(name=name)}),
        catalog(flows={name: Flow(name=name, steps=(CRM,))}),
    ):
        with pytest.raises(InvalidInput, match="1 to 64"):
            validate(place)


@pytest.mark.parametrize("name", ["a", "A.b_c-1", "0", "a" * 64])
def test_good_names(name: str) -> None:
    """Letters of either case, digits, and ._- after the first."""
    validate(Catalog(recipients={name: Recipient(name=name, endpoints=(Endpoint(url=URL),))}))


def test_errors_never_repeat_secrets() -> None:
    """Promise 8: the complaint about a credential does not contain it."""
    for changes in (
        endpoint("secrets", ("hunter2",)),
        endpoint("auth", BearerAuth("hunter2\n")),
        endpoint("auth", BasicAuth("u", "hunter2\n")),
        endpoint("auth", HeaderAuth("X", "hunter2\n")),
        endpoint("headers", {"X-Key": "hunter2\n"}),
        endpoint("url", "https://u:hunter2@a/"),
        endpoint("proxy", "http://u:hunter2@a/ b"),
    ):
        with pytest.raises(InvalidInput) as caught:
            validate(catalog(**changes))
        assert "hunter2" not in str(caught.value)


def test_unknown_recipients_name_the_known_ones() -> None:
    """At most twenty are listed."""
    many = {
        f"r{n:02}": Recipient(name=f"r{n:02}", endpoints=(Endpoint(url=URL),)) for n in range(30)
    }
    with pytest.raises(InvalidInput) as caught:
        validate(catalog(recipients=many))
    assert caught.value.allowed.startswith("r00, r01, ")
    assert caught.value.allowed.endswith("r19, ...")
    with pytest.raises(InvalidInput, match="none is defined"):
        validate(catalog(recipients={}))
