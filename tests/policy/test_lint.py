"""Each best practice has a rule, each rule a configuration that breaks it, and good ones pass."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from holdfast import config
from holdfast.policy import lint
from holdfast.policy.lint import Finding, Severity

GOOD: Final = """
[recipients.acme]
url = "https://acme.example/leads"
auth = {type = "bearer", token = "env:ACME"}
[flows.leads]
steps = [{recipient = "acme"}]
"""
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
        assert one.place.partition(".")[0] in {"recipients", "flows", "templates"}
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
