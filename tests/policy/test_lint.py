"""Each best practice has a rule, each rule a configuration that breaks it, and good ones pass."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from holdfast import config
from holdfast.policy import lint
from holdfast.policy.finding import Finding, Severity

GOOD: Final = """
[recipients.acme]
url = "https://acme.example/leads"
auth = {type = "bearer", token = "env:ACME"}
[flows.leads]
steps = [{recipient = "acme"}]
"""


def rule_text(when: str, more: str = "") -> str:
    """Return a rule of the file."""
    return f'[[rules]]\nname = "one"\nwhen = "{when}"\n{more}\nthen = {{skip = "NO"}}\n'


BAD: Final[dict[str, str]] = {
    "no_jitter": GOOD + '[policy]\njitter = "none"\n',
    "immediate_retries": GOOD + '[policy]\nstrategy = "immediate"\nmax_retries = 3\n',
    "short_window": GOOD + '[policy]\nexhausted_while_down = "dead"\n',
    "long_age": GOOD + "[policy]\nmax_age = 1728000\n",
    "retries_over_limit": GOOD + "[recipients.acme.limits]\nper_hour = 3\n",
    "no_breaker": GOOD + "[recipients.acme.breaker]\nenabled = false\n",
    "no_budget": GOOD + "[recipients.acme.budget]\nenabled = false\n",
    "concurrency_over_limit": GOOD + "[recipients.acme.limits]\nper_second = 5\n",
    "unused": GOOD + '[recipients.other]\nurl = "https://other.example/"\n',
    "odd_weight": GOOD.replace('recipient = "acme"}', 'recipient = "acme"}, {recipient = "b"}')
    + '[recipients.b]\nurl = "https://b.example/"\nweight = 100.0\n',
    "plain_http": GOOD.replace("https://", "http://"),
    "private_addresses": GOOD.replace("auth", "allow_private = true\nauth"),
    "long_timeout": GOOD.replace("auth", "total_timeout = 600.0\nauth"),
    "duplicate_endpoints": GOOD + '[recipients.twin]\nurl = "https://acme.example/leads"\n',
    "plain_secrets": GOOD.replace("env:ACME", "s3cr3t-in-the-file"),
    "stripped_field": GOOD.replace("/leads", "/{{lead.id}}") + 'strip = ["lead"]\n',
    "unmasked_field": GOOD.replace("/leads", "/{{lead.ssn}}"),
    "hours_without_zone": GOOD
    + """[recipients.acme.hours]
periods = [{days = ["mon"], start = "09:00", end = "17:00"}]
""",
    "unmatched_rule": GOOD
    + '[recipients.b]\nurl = "https://b.example/"\n[flows.other]\nsteps = [{recipient = "b"}]\n'
    + rule_text("message.value > 3.0", 'flows = ["other"]\nrecipients = ["acme"]'),
    "missing_field": GOOD
    + 'strip = ["lead"]\n'
    + rule_text("payload.lead.state == 'TX'", 'payload = ["lead.state"]'),
    "constant_condition": GOOD + rule_text("1 > 2"),
    "unknown_name": GOOD + rule_text("attempt.class == 'servr'"),
    "slow_step": GOOD.replace('recipient = "acme"}', 'recipient = "acme"}, {recipient = "b"}')
    + 'mode = "sequential"\n[recipients.b]\nurl = "https://b.example/"\n',
}


def findings(folder: Path, text: str) -> list[Finding]:
    """Return what the linter says of a file."""
    file = folder / "holdfast.toml"
    file.write_text(text)
    environ = {"ACME": "from-the-environment"}
    return lint.lint(config.load(file, environ).catalog, config.source(file, environ))


def test_a_good_configuration_has_no_findings(tmp_path: Path) -> None:
    """No rule complains of what follows every practice."""
    assert findings(tmp_path, GOOD) == []


@pytest.mark.parametrize("rule", [rule.__name__ for rule in lint.RULES])
def test_each_rule_finds_its_breach(tmp_path: Path, rule: str) -> None:
    """The rule's configuration triggers it, with a place in the file, a reason and a fix."""
    found = [one for one in findings(tmp_path, BAD[rule]) if one.rule == rule]
    assert found
    for one in found:
        assert one.place.partition(".")[0] in {"recipients", "flows", "templates", "rules"}
        assert one.what
        assert one.why
        assert one.fix


def test_the_worst_comes_first(tmp_path: Path) -> None:
    """Errors, then warnings, then hints."""
    text = BAD["stripped_field"].replace("https://", "http://").replace("auth", "proxy = "
        '"http://proxy:3128"\nauth')  # fmt: skip
    order = [one.severity for one in findings(tmp_path, text)]
    assert order == sorted(order, key=list(Severity).index)
    assert set(order) == set(Severity)


def test_keep_must_hold_what_templates_need(tmp_path: Path) -> None:
    """A field outside `keep` is as gone as a stripped one; one inside is there."""
    text = GOOD.replace("/leads", "/{{lead.id}}/{{message.id}}")
    assert findings(tmp_path, text + 'keep = ["lead"]\n') == []
    (found,) = findings(tmp_path, text + 'keep = ["other"]\n')
    assert found.severity is Severity.ERROR


def test_no_finding_repeats_a_secret(tmp_path: Path) -> None:
    """The place is named, never the value."""
    shown: Any = msgspec.json.encode(findings(tmp_path, BAD["plain_secrets"]))
    assert b"s3cr3t" not in shown


@pytest.mark.parametrize(
    "when",
    [
        "attempt.class == 'server' || attempt.class in ['timeout', 'dns']",
        "recipient.name == 'acme' && flow.name in ['leads'] && lane.breaker != 'closed'",
        "message.region == 'TX'",
        "'gold' in recipient.tags",
        "1 < 2",
        "payload.attempt.class == 'servr'",
    ],
)
def test_a_rule_that_can_apply_is_no_finding(tmp_path: Path, when: str) -> None:
    """Names that exist, facts whose words nobody knows, and what is always true."""
    text = GOOD.replace("auth", 'tags = ["gold"]\nauth')
    assert findings(tmp_path, text + rule_text(when, 'payload = ["attempt.class"]')) == []


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ("recipient.name in ['acme', 'acmee']", "compares recipient.name with 'acmee'"),
        ("flow.name == 'lead'", "compares flow.name with 'lead'"),
        ("'silver' in recipient.tags", "compares recipient.tags with 'silver'"),
        ("lane.breaker == 'shut'", "compares lane.breaker with 'shut'"),
        ("false && true", "is false, whatever happens"),
    ],
)
def test_a_rule_that_never_applies_is_named(tmp_path: Path, when: str, what: str) -> None:
    """With what stands there; the fix names what would be right."""
    (found,) = findings(tmp_path, GOOD + rule_text(when))
    assert what in found.what


def test_a_zone_that_is_meant_to_be_utc_is_no_finding(tmp_path: Path) -> None:
    """Written down it is a decision, of the recipient or of its hours."""
    for place in ("auth", "periods"):
        text = BAD["hours_without_zone"].replace(place, f'zone = "UTC"\n{place}', 1)
        assert findings(tmp_path, text) == []


def test_the_window_is_compared_with_what_was_learned(tmp_path: Path) -> None:
    """Where the recipient's own outages are known they count, shorter or longer than usual."""
    file = tmp_path / "holdfast.toml"
    file.write_text(BAD["short_window"])
    environ = {"ACME": "from-the-environment"}
    catalog, raw = config.load(file, environ).catalog, config.source(file, environ)
    (found,) = lint.lint(catalog, raw, {"acme": 4000.0})
    assert "an outage of 4e+03 s of acme is usual, as learned" in found.why
    assert lint.lint(catalog, raw, {"acme": 20.0}) == []
