"""Policies are resolved field by field, with an origin for every value and no way past a limit."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidInput
from holdfast.model.flow import Account, Catalog, Endpoint, Flow, Limits, Recipient, Step
from holdfast.model.policy import JitterKind, Phase, Policy, PolicySettings, Strategy
from holdfast.policy import precedence

ENDPOINTS = (Endpoint(url="https://acme.example/leads"),)
LEVELS = ("global", "account", "recipient", "flow", "step", "override")
ORIGINS = {
    "global": "global",
    "account": "account default",
    "recipient": "recipient acme",
    "flow": "flow leads",
    "step": "step leads/crm",
    "override": "override",
}
PLACES = {
    "global": "policy",
    "account": "accounts.default.policy",
    "recipient": "recipients.acme.policy",
    "flow": "flows.leads.policy",
    "step": "flows.leads.steps.crm.policy",
    "override": "policy",
}


def catalog(levels: dict[str, PolicySettings], **more: Any) -> Catalog:
    """Build a catalog with one flow, one step and one recipient."""
    at = {level: levels.get(level, PolicySettings()) for level in LEVELS}
    step = Step(name="crm", recipient="acme", policy=at["step"])
    return Catalog(
        policy=at["global"],
        accounts={"default": Account(policy=at["account"])},
        recipients={"acme": Recipient(name="acme", endpoints=ENDPOINTS, policy=at["recipient"])},
        flows={"leads": Flow(name="leads", steps=(step,), policy=at["flow"])},
        **more,
    )


def resolved(levels: dict[str, PolicySettings], **more: Any) -> Policy:
    """Resolve the catalog's one step."""
    built = catalog(levels, **more)
    flow = built.flows["leads"]
    return precedence.resolve(
        built,
        flow=flow,
        step=flow.steps[0],
        recipient=built.recipients["acme"],
        override=levels.get("override"),
    )


def one(field: str, value: Any) -> PolicySettings:
    """Return settings with one field."""
    return PolicySettings(**{field: value})


def test_defaults() -> None:
    """S2.13, S2.16-S2.20: 3 retries, 2 s, x2.0, 60 s, 300 s of active time, all by default."""
    policy = resolved({})
    assert (policy.max_retries, policy.initial_delay, policy.multiplier) == (3, 2.0, 2.0)
    assert (policy.max_interval, policy.total_timeout) == (60.0, 300.0)
    assert (policy.timeout_clock, policy.strategy) == ("active", Strategy.EXPONENTIAL)
    assert (policy.jitter, policy.jitter_ratio) == (JitterKind.PERCENT, 0.2)
    assert (policy.max_age, policy.exhausted_while_down) == (72 * 3600.0, "hold")
    assert set(policy.origin.values()) == {"default"}
    assert set(policy.origin) == set(Policy.__struct_fields__) - {"origin", "id"}


@pytest.mark.parametrize("top", range(len(LEVELS)))
def test_the_nearest_level_wins(top: int) -> None:
    """S2.14, S2.15, S2.22-S2.24: override > step > flow > recipient > account > global."""
    levels = {LEVELS[n]: PolicySettings(max_retries=n + 1) for n in range(top + 1)}
    policy = resolved(levels)
    assert policy.max_retries == top + 1
    assert policy.origin["max_retries"] == ORIGINS[LEVELS[top]]


def test_levels_mix_field_by_field() -> None:
    """S2.15: each field comes from its own level, and says so."""
    policy = resolved(
        {
            "global": PolicySettings(total_timeout=1000.0, max_retries=9),
            "account": PolicySettings(multiplier=3.0, max_retries=8),
            "recipient": PolicySettings(max_interval=30.0, max_retries=7),
            "flow": PolicySettings(initial_delay=5.0, max_retries=6),
            "step": PolicySettings(max_retries=5),
        }
    )
    fields = ("total_timeout", "multiplier", "max_interval", "initial_delay", "max_retries")
    values = tuple(getattr(policy, field) for field in fields)
    assert values == (1000.0, 3.0, 30.0, 5.0, 5)
    origins = ["global", "account default", "recipient acme", "flow leads", "step leads/crm"]
    assert [policy.origin[field] for field in fields] == origins


RANGES = [
    ("S2.16", "max_retries", 1, 10, 0, 11, "1 to 10"),
    ("S2.17", "initial_delay", 1.0, 60.0, 0.5, 61.0, "1 to 60"),
    ("S2.18", "multiplier", 1.5, 3.0, 1.4, 3.1, "1.5 to 3"),
    ("S2.19", "max_interval", 2.0, 300.0, 0.9, 301.0, "1 to 300"),
    ("S2.20", "total_timeout", 1.0, 3600.0, 0.0, 3601.0, "1 to 3600"),
    ("design 9", "max_age", 1.0, 2_592_000.0, 0.0, 2_592_001.0, "1 to 2592000"),
    ("C6", "max_hint", 0.0, 604_800.0, -1.0, 604_801.0, "0 to 604800"),
    ("S1.28", "increment", 0.0, 300.0, -1.0, 301.0, "0 to 300"),
    ("S1.29", "jitter_ratio", 0.0, 1.0, -0.1, 1.1, "0 to 1"),
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", RANGES, ids=lambda case: str(case[1]))
def test_ranges(level: str, case: tuple[str, str, float, float, float, float, str]) -> None:
    """S2.16-S2.20: both ends pass, what lies outside is refused with field, value and range."""
    _, field, low, high, below, above, allowed = case
    for value in (low, high):
        assert getattr(resolved({level: one(field, value)}), field) == value
    for value in (below, above, float("nan"), float("inf")):
        with pytest.raises(InvalidInput) as caught:
            resolved({level: one(field, value)})
        assert caught.value.field == f"{PLACES[level]}.{field}"
        assert caught.value.value is value
        assert caught.value.allowed == allowed


def test_an_administrator_may_widen_the_ranges() -> None:
    """Design 9: webhook-style days are possible once the limits say so."""
    limits = Limits(max_retries=(1, 50), max_interval=(1.0, 36_000.0))
    policy = resolved(
        {"flow": PolicySettings(max_retries=50, max_interval=36_000.0)}, limits=limits
    )
    assert (policy.max_retries, policy.max_interval) == (50, 36_000.0)


def test_narrow_limits_move_the_defaults() -> None:
    """Hard limits bind defaults too: they are moved inside, and the origin says why."""
    policy = resolved({}, limits=Limits(max_retries=(1, 2), total_timeout=(400.0, 500.0)))
    assert (policy.max_retries, policy.total_timeout) == (2, 400.0)
    assert policy.origin["max_retries"] == "limits"
    with pytest.raises(InvalidInput) as caught:
        resolved({"flow": PolicySettings(template="aggressive")}, limits=Limits(max_retries=(1, 2)))
    assert caught.value.field == "flows.leads.policy.max_retries"
    assert caught.value.allowed == "1 to 2 (set by template aggressive)"


@pytest.mark.parametrize("field", ["max_age", "max_hint"])
def test_hard_limits_only_tighten(field: str) -> None:
    """Promise 5: whichever level sets it, the shortest wins, and the origin names that level."""
    loose, tight = one(field, 2000.0), one(field, 1000.0)
    for levels in ({"global": tight, "step": loose}, {"global": loose, "step": tight}):
        policy = resolved(levels)
        assert getattr(policy, field) == 1000.0
        tightest = next(level for level, value in levels.items() if value is tight)
        assert policy.origin[field] == ORIGINS[tightest]


def test_the_default_age_is_no_limit() -> None:
    """Only a level that was set binds the levels below: the default may be lengthened."""
    assert resolved({"flow": PolicySettings(max_age=500_000.0)}).max_age == 500_000.0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conservative", (Strategy.FIXED, 2, 5.0)),
        ("standard", (Strategy.EXPONENTIAL, 3, 2.0)),
        ("aggressive", (Strategy.EXPONENTIAL, 5, 1.0)),
    ],
)
def test_templates(name: str, expected: tuple[Strategy, int, float]) -> None:
    """S2.26-S2.28: the built-in templates, exact, without jitter."""
    policy = resolved({"flow": PolicySettings(template=name)})
    assert (policy.strategy, policy.max_retries, policy.initial_delay) == expected
    assert policy.jitter is JitterKind.NONE
    assert policy.origin["max_retries"] == f"template {name} (flow leads)"


def test_a_template_fills_what_its_level_leaves_open() -> None:
    """A level's own fields beat its template, which beats the levels behind it."""
    policy = resolved(
        {
            "recipient": PolicySettings(max_retries=9, initial_delay=9.0, total_timeout=9.0),
            "flow": PolicySettings(template="standard", max_retries=7),
        }
    )
    assert (policy.max_retries, policy.initial_delay, policy.total_timeout) == (7, 2.0, 9.0)
    assert policy.origin["max_retries"] == "flow leads"
    assert policy.origin["initial_delay"] == "template standard (flow leads)"
    assert policy.origin["total_timeout"] == "recipient acme"


def test_custom_templates() -> None:
    """S2.29: one's own template is used like a built-in one."""
    own = {"slow": PolicySettings(initial_delay=50.0, retry_on=("418",))}
    policy = resolved({"step": PolicySettings(template="slow")}, templates=own)
    assert (policy.initial_delay, policy.retry_on) == (50.0, ("418",))
    assert policy.origin["retry_on"] == "template slow (step leads/crm)"


def test_unknown_templates_name_the_known_ones() -> None:
    """A typo is answered with the list."""
    with pytest.raises(InvalidInput) as caught:
        resolved({"account": PolicySettings(template="slwo")}, templates={"slow": PolicySettings()})
    assert caught.value.field == "accounts.default.policy.template"
    assert caught.value.allowed == "aggressive, conservative, slow, standard"


def test_immediate_ignores_the_delay_range() -> None:
    """C7: the range belongs to strategies that use a delay, wherever the strategy was set."""
    zero = PolicySettings(initial_delay=0.0)
    policy = resolved({"step": zero, "global": PolicySettings(strategy=Strategy.IMMEDIATE)})
    assert policy.initial_delay == 0
    with pytest.raises(InvalidInput, match="1 to 60"):
        resolved({"step": zero})


def test_initial_delay_is_at_most_the_longest() -> None:
    """A first delay beyond the cap is a mistake, also when two levels make it together."""
    levels = {
        "recipient": PolicySettings(max_interval=20.0),
        "step": PolicySettings(initial_delay=30.0),
    }
    with pytest.raises(InvalidInput) as caught:
        resolved(levels)
    assert caught.value.field == "flows.leads.steps.crm.policy.initial_delay"
    assert caught.value.allowed == "at most max_interval (20, from recipient acme)"
    with pytest.raises(InvalidInput) as caught:
        resolved({"flow": PolicySettings(max_interval=1.0)})
    assert caught.value.field == "flows.leads.policy.max_interval"
    assert caught.value.allowed == "at least initial_delay (2)"


def hybrid(*phases: Phase, **more: Any) -> PolicySettings:
    """Return hybrid settings."""
    return PolicySettings(strategy=Strategy.HYBRID, phases=phases, **more)


S = Strategy
BAD_PHASES: list[tuple[PolicySettings, str, str]] = [
    (PolicySettings(strategy=S.HYBRID), "phases", "at least one"),
    (hybrid(Phase(S.HYBRID)), "phases.0.strategy", "but hybrid"),
    (hybrid(Phase(S.IMMEDIATE, 2), Phase(S.FIXED)), "phases.0.attempts", "1 for immediate"),
    (hybrid(Phase(S.IMMEDIATE, 1)), "phases.0.attempts", "another phase after it"),
    (hybrid(Phase(S.FIXED), Phase(S.FIXED)), "phases.0.attempts", "only the last"),
    (hybrid(Phase(S.FIXED, 0), Phase(S.FIXED)), "phases.0.attempts", "1 to 10"),
    (hybrid(Phase(S.FIXED, 11), Phase(S.FIXED)), "phases.0.attempts", "1 to 10"),
    (hybrid(Phase(S.FIXED, initial_delay=0.5)), "phases.0.initial_delay", "1 to 60"),
    (hybrid(Phase(S.FIXED, max_interval=301.0)), "phases.0.max_interval", "1 to 300"),
    (hybrid(Phase(S.FIXED, multiplier=9.0)), "phases.0.multiplier", "1.5 to 3"),
    (hybrid(Phase(S.FIXED, increment=-1.0)), "phases.0.increment", "0 to 300"),
    (
        hybrid(Phase(S.FIXED, 1), Phase(S.FIXED, initial_delay=30.0, max_interval=20.0)),
        "phases.1.initial_delay",
        "at most max_interval (20)",
    ),
    (hybrid(Phase(S.FIXED), initial_delay=0.5), "initial_delay", "1 to 60"),
]


@pytest.mark.parametrize(("settings", "field", "allowed"), BAD_PHASES)
def test_bad_phases(settings: PolicySettings, field: str, allowed: str) -> None:
    """S1.32, C7: phases have ranges of their own; the error names the phase."""
    with pytest.raises(InvalidInput) as caught:
        resolved({"flow": settings})
    assert caught.value.field == f"flows.leads.policy.{field}"
    assert allowed in caught.value.allowed


def test_good_phases() -> None:
    """One immediate try, then exponential: the example of S1.32."""
    settings = hybrid(Phase(S.IMMEDIATE, 1, initial_delay=0.0), Phase(S.EXPONENTIAL))
    assert len(resolved({"flow": settings}).phases) == 2


def test_derived_fields() -> None:
    """`increment` follows the delay, strategy jitter brings full jitter, with their origins."""
    policy = resolved(
        {"flow": PolicySettings(initial_delay=7.0), "step": PolicySettings(strategy=S.JITTER)}
    )
    assert (policy.increment, policy.origin["increment"]) == (7.0, "flow leads")
    assert (policy.jitter, policy.origin["jitter"]) == (JitterKind.FULL, "strategy jitter")


def test_without_a_flow_the_recipient_names_the_account() -> None:
    """The account level is the flow's, else the recipient's."""
    built = Catalog(
        accounts={"a": Account(name="a", policy=PolicySettings(max_retries=4))},
        recipients={"acme": Recipient(name="acme", account="a", endpoints=ENDPOINTS)},
    )
    policy = precedence.resolve(built, flow=None, step=None, recipient=built.recipients["acme"])
    assert policy.origin["max_retries"] == "account a"


def test_snapshots_and_ids() -> None:
    """Equal policies have equal ids and bytes; another value or another origin changes both."""
    one, same = (
        resolved({"flow": PolicySettings(max_retries=5)}),
        resolved({"flow": PolicySettings(max_retries=5)}),
    )
    value = resolved({"flow": PolicySettings(max_retries=6)})
    origin = resolved({"step": PolicySettings(max_retries=5)})
    assert precedence.snapshot(one) == precedence.snapshot(same)
    assert len({one.id, same.id, value.id, origin.id}) == 3
    assert len(one.id) == 16
    assert int(one.id, 16) >= 0
    assert msgspec.json.decode(precedence.snapshot(one), type=Policy) == one


settings = st.builds(
    PolicySettings,
    template=st.none() | st.sampled_from(sorted(precedence.TEMPLATES)),
    strategy=st.none() | st.sampled_from([s for s in Strategy if s is not Strategy.HYBRID]),
    max_retries=st.none() | st.integers(1, 10),
    initial_delay=st.none() | st.floats(1, 60),
    multiplier=st.none() | st.floats(1.5, 3),
    max_interval=st.none() | st.floats(60, 300),
    max_age=st.none() | st.floats(1, 2_592_000),
    jitter=st.none() | st.sampled_from(JitterKind),
)


@given(st.dictionaries(st.sampled_from(LEVELS), settings))
def test_every_value_comes_from_where_its_origin_says(levels: dict[str, PolicySettings]) -> None:
    """Promise 7: reading the origin's level again gives the value, for every field."""
    policy = resolved(levels)
    names = {ORIGINS[level]: level for level in LEVELS}
    for field, origin in policy.origin.items():
        if field != "increment" and origin in names:
            assert getattr(levels[names[origin]], field) == getattr(policy, field)
    ages = [one.max_age for one in levels.values() if one.max_age is not None]
    assert policy.max_age == min(ages, default=72 * 3600.0)
