"""One classifier: every status and every channel error has the documented meaning."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidInput
from holdfast.model.attempt import FailureClass, Outcome, Reply, Result
from holdfast.model.flow import Catalog, Endpoint, Recipient
from holdfast.model.policy import Policy, PolicySettings, ResponseMapping, Rule
from holdfast.policy import precedence
from holdfast.policy.failure import EXCERPT_MAX, check_term, classify, status_range

C = FailureClass
SOFT, HARD, OURS = (Result.ERROR, True), (Result.FAILURE, False), (Result.ERROR, False)


def policy(**settings: Any) -> Policy:
    """Resolve settings on the recipient level of an otherwise empty catalog."""
    endpoints = (Endpoint(url="https://acme.example/"),)
    partner = Recipient(name="acme", endpoints=endpoints, policy=PolicySettings(**settings))
    return precedence.resolve(Catalog(), flow=None, step=None, recipient=partner)


PLAIN = policy()


def reply(status: int | None = 200, body: bytes = b"", **more: Any) -> Reply:
    """Return a reply that took 10 ms."""
    return Reply(1000, 1010, 10.0, status=status, body=body, **more)


def judged(status: int | None = 200, body: bytes = b"", by: Policy = PLAIN, **more: Any) -> Outcome:
    """Classify a reply."""
    return classify(reply(status, body, **more), by)


TABLE = {
    500: (*SOFT, C.SERVER),  # S2.4
    502: (*SOFT, C.SERVER),  # S2.5
    503: (*SOFT, C.SERVER),  # S2.6
    504: (*SOFT, C.TIMEOUT),  # S2.7, S2.42
    429: (*SOFT, C.RATE_LIMIT),  # S2.8, S2.43
    408: (*SOFT, C.TIMEOUT),  # C39
    425: (*SOFT, C.SERVER),  # C39
    400: (*HARD, C.DATA),  # S2.45
    401: (*OURS, C.AUTH),  # S2.45, S2.46, C1
    402: (*HARD, C.BUSINESS),
    403: (*OURS, C.AUTH),  # S2.45, C1
    404: (*HARD, C.PROTOCOL),  # S2.45
    405: (*HARD, C.PROTOCOL),
    406: (*HARD, C.PROTOCOL),
    407: (*OURS, C.AUTH),
    409: (*HARD, C.BUSINESS),  # S2.48, C39
    410: (*HARD, C.PROTOCOL),
    451: (*HARD, C.BUSINESS),
}


@pytest.mark.parametrize("status", range(100, 1000))
def test_every_status(status: int) -> None:
    """S2.4-S2.8, S2.41-S2.45, C39: the whole table, one status at a time."""
    outcome = judged(status)
    if 200 <= status < 300:
        assert outcome == Outcome(result=Result.SUCCESS, http_status=status)
        return
    ranges = {3: (*HARD, C.PROTOCOL), 4: (*HARD, C.DATA), 5: (*SOFT, C.SERVER)}
    expected = TABLE.get(status) or ranges.get(status // 100, (*SOFT, C.PROTOCOL))
    assert (outcome.result, outcome.retryable, outcome.failure_class) == expected
    assert outcome.reason == f"HTTP {status}"
    assert outcome.message == f"status={status}"
    assert outcome.disable_endpoint is (status == 410)
    assert outcome.duplicate is (status == 409)
    assert outcome.maybe_received is (status in {502, 504})


ERRORS = {
    C.TIMEOUT: (*SOFT, "ETIMEDOUT"),  # S2.9, S2.42
    C.DNS: (*SOFT, "EAI_NONAME"),  # S2.10, S2.44
    C.CONNECT: (*SOFT, "ECONNREFUSED"),  # S2.11, S2.44
    C.TLS: (*SOFT, "CERTIFICATE_EXPIRED"),
    C.PROTOCOL: (*SOFT, "BAD_ANSWER"),
    C.SERVER: (*SOFT, "450"),
    C.RATE_LIMIT: (*SOFT, "421"),
    C.PHYSICAL: (*SOFT, "LINE"),
    C.CANCELLED: (*SOFT, "CUT"),
    C.AUTH: (*OURS, "535"),
    C.CONFIGURATION: (*OURS, "ADDRESS_REFUSED"),
    C.DATA: (*HARD, "552"),
    C.BUSINESS: (*HARD, "550"),
}


@pytest.mark.parametrize("kind", C)
def test_every_channel_error(kind: FailureClass) -> None:
    """S2.9-S2.11, S2.42, S2.44: each class is soft, hard or ours, with the platform's word."""
    result, retryable, code = ERRORS[kind]
    for maybe in (True, False):
        outcome = judged(None, error=kind, error_code=code, maybe_received=maybe)
        assert (outcome.result, outcome.retryable) == (result, retryable)
        assert outcome.failure_class is kind
        assert outcome.reason == f"{kind.value} {code}"
        assert outcome.code == code
        assert outcome.message == code
        assert outcome.maybe_received is maybe


@pytest.mark.parametrize("code", ["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "ECONNRESET"])
def test_connection_trouble_is_retryable(code: str) -> None:
    """S2.11: refused, unreachable and reset are soft and say which."""
    outcome = judged(None, error=C.CONNECT, error_code=code, error_message="no way there")
    assert outcome.retryable
    assert outcome.reason == f"connect {code}"
    assert outcome.message == f"{code}: no way there"


def test_an_error_without_a_code_is_named_by_its_class() -> None:
    """The reason is the class when the platform has no word."""
    outcome = judged(None, error=C.TIMEOUT)
    assert (outcome.reason, outcome.message) == ("timeout", "timeout")


def test_log_tokens() -> None:
    """S5.38: the message holds `status=503`, `ETIMEDOUT`, `ECONNREFUSED` as operators grep them."""
    assert "status=503" in str(judged(503).message)
    timeout = judged(None, error=C.TIMEOUT, error_code="ETIMEDOUT", error_message="read: ETIMEDOUT")
    assert timeout.message == "read: ETIMEDOUT"
    refused = judged(None, error=C.CONNECT, error_code="ECONNREFUSED", error_message="refused")
    assert "ECONNREFUSED" in str(refused.message)


def test_no_answer_at_all_is_soft() -> None:
    """A reply with neither status nor error is strange, not a success."""
    outcome = judged(None)
    assert (outcome.result, outcome.retryable, outcome.failure_class) == (*SOFT, C.PROTOCOL)


def test_a_status_survives_a_broken_body() -> None:
    """From 300 on the status line is the partner's word, even when the rest was lost."""
    outcome = judged(400, error=C.PROTOCOL, error_code="CUT", maybe_received=True)
    assert (outcome.result, outcome.retryable, outcome.failure_class) == (*HARD, C.DATA)
    assert outcome.maybe_received


def test_a_broken_success_is_in_doubt() -> None:
    """A 2xx whose answer broke off is an error that may have been received."""
    outcome = judged(200, error=C.PROTOCOL, error_code="CUT", maybe_received=True)
    assert (outcome.result, outcome.retryable, outcome.failure_class) == (*SOFT, C.PROTOCOL)
    assert outcome.maybe_received


def test_temporary_refusals_need_a_declared_rule() -> None:
    """S2.12, S2.46, C1: a plain 401 is not retried; one that a rule calls temporary is."""
    rule = Rule(
        name="auth_temporary",
        result=Result.ERROR,
        status=("401",),
        body="token refresh in progress",
        failure_class=C.AUTH,
    )
    by = policy(rules=(rule,))
    assert not judged(401, b"invalid key", by).retryable
    outcome = judged(401, b"token refresh in progress", by)
    assert (outcome.retryable, outcome.failure_class) == (True, C.AUTH)
    assert (outcome.rule, outcome.reason) == ("auth_temporary", "auth_temporary")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b'{"error": "Quota exceeded for this project"}'),
        (400, b"Daily quota of leads was exhausted"),
        (422, b"rate limit reached, slow down"),
        (400, b"Too Many Requests"),
        (402, b"you have exceeded your quota"),
    ],
)
def test_quota_texts_are_rate_limits(status: int, body: bytes) -> None:
    """S2.43: an exhausted quota is retried when it resets, whatever status it wears."""
    outcome = judged(status, body, headers={"x-ratelimit-reset": "90"})
    assert (outcome.result, outcome.retryable, outcome.failure_class) == (*SOFT, C.RATE_LIMIT)
    assert outcome.retry_after_ms == 90_000


def test_quota_words_do_not_change_other_answers() -> None:
    """A 404 page or a refused key that mentions quotas stays what it is."""
    assert judged(404, b"quota exceeded").failure_class is C.PROTOCOL
    assert judged(401, b"quota exceeded").failure_class is C.AUTH


@pytest.mark.parametrize(
    "body", [b"Duplicate lead", b"already exists", b"ALREADY RECEIVED", b"already submitted"]
)
@pytest.mark.parametrize("status", [400, 409, 422])
def test_duplicates_are_recognised(status: int, body: bytes) -> None:
    """S2.48: a duplicate is hard, class business, and marked as such."""
    outcome = judged(status, body)
    assert (outcome.result, outcome.retryable, outcome.failure_class) == (*HARD, C.BUSINESS)
    assert outcome.duplicate


def test_a_server_error_is_never_a_duplicate() -> None:
    """A crash page that says "duplicate key" proves nothing."""
    assert not judged(500, b"duplicate key value").duplicate


def test_hints() -> None:
    """S2.6, S2.8: Retry-After of any failure, rate-limit fields of 429 and 503."""
    assert judged(503, headers={"retry-after": "7"}).retry_after_ms == 7000
    assert judged(429, headers={"ratelimit": '"a";r=0;t=3'}).retry_after_ms == 3000
    assert judged(503, headers={"x-ratelimit-reset": "4"}).retry_after_ms == 4000
    assert judged(500, headers={"x-ratelimit-reset": "4"}).retry_after_ms is None
    assert judged(503).retry_after_ms is None


def test_excerpts_are_bounded_and_only_of_failures() -> None:
    """At most 2048 bytes of an answer are kept, decoded with replacement; none of a success."""
    assert judged(500, b"x" * 5000).excerpt == "x" * EXCERPT_MAX
    assert judged(500, b"\xff").excerpt == "\ufffd"
    assert judged(500).excerpt is None
    assert judged(200, b"hello").excerpt is None


def test_successes_without_a_mapping_are_shared() -> None:
    """The usual case makes no object at all."""
    assert judged(202) is judged(202)


MAPPING = ResponseMapping(
    outcome_search_term="accepted",
    outcome_search_path="result",
    reason_path="why",
    price_path="price",
    reference_path="id",
    default_reason="not wanted",
)


def test_a_match_is_the_outcome() -> None:
    """S2.50: the term at the path decides; price and reference come along."""
    body = b'{"result": "Accepted", "price": "12.50", "id": "L-1"}'
    outcome = judged(200, body, policy(response=MAPPING))
    assert (outcome.result, outcome.price, outcome.reference) == (Result.SUCCESS, 12.5, "L-1")


def test_no_match_is_the_inverse() -> None:
    """C40, S2.48: a 200 that does not say accepted is a hard business failure with a reason."""
    by = policy(response=MAPPING)
    outcome = judged(200, b'{"result": "no", "why": "Postal code 12345 not served"}', by)
    assert (outcome.result, outcome.retryable, outcome.failure_class) == (*HARD, C.BUSINESS)
    assert outcome.reason == "Postal code # not served"
    assert outcome.message == "status=200: Postal code # not served"
    assert judged(200, b"garbage", by).reason == "not wanted"
    duplicate = judged(200, b'{"result": "no", "why": "duplicate"}', by)
    assert (duplicate.duplicate, duplicate.retryable) == (True, False)
    quota = judged(200, b'{"result": "no", "why": "daily quota reached"}', by)
    assert (quota.retryable, quota.failure_class) == (True, C.RATE_LIMIT)


@pytest.mark.parametrize(
    ("on_match", "matched", "missed"),
    [
        ("success", (Result.SUCCESS, False), HARD),
        ("failure", HARD, (Result.SUCCESS, False)),
        ("error", SOFT, (Result.SUCCESS, False)),
    ],
)
def test_outcome_on_match(
    on_match: Any, matched: tuple[Result, bool], missed: tuple[Result, bool]
) -> None:
    """A match means what the mapping says, no match the inverse; the reason says which."""
    by = policy(response=ResponseMapping(outcome_search_term="X1", outcome_on_match=on_match))
    hit, miss = judged(200, b"... x1 ...", by), judged(200, b"...", by)
    assert (hit.result, hit.retryable) == matched
    assert (miss.result, miss.retryable) == missed
    assert hit.ok or hit.reason == f"answer says {on_match}"
    assert miss.ok or miss.reason == f"answer does not say {on_match}"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_server_errors_come_before_the_body(status: int) -> None:
    """Any 5xx is `error` "Server error", even when its body says accepted."""
    outcome = judged(status, b'{"result": "accepted", "why": "x"}', policy(response=MAPPING))
    assert (outcome.result, outcome.retryable) == SOFT
    assert outcome.reason == "Server error"


def test_a_match_beats_the_status() -> None:
    """C40: the integration's outcome beats a status below 500."""
    by = policy(response=MAPPING)
    assert judged(404, b'{"result": "accepted"}', by).result is Result.SUCCESS


@pytest.mark.parametrize("status", [302, 400, 401, 408, 410, 429])
def test_absence_is_no_evidence_outside_2xx(status: int) -> None:
    """A 429 without the term stays a rate limit: its absence decides only in a 2xx."""
    for on_match in ("success", "failure", "error"):
        mapping = ResponseMapping(outcome_search_term="accepted", outcome_on_match=on_match)
        outcome, plain = judged(status, by=policy(response=mapping)), judged(status)
        assert outcome == plain


def test_a_cut_answer_is_not_guessed_at() -> None:
    """No match in an answer that was not read to its end goes to review, possibly received."""
    for on_match in ("success", "failure"):
        mapping = ResponseMapping(outcome_search_term="accepted", outcome_on_match=on_match)
        outcome = judged(200, b"....", policy(response=mapping), truncated=True)
        assert (outcome.result, outcome.retryable, outcome.failure_class) == (*OURS, C.PROTOCOL)
        assert outcome.maybe_received


def test_expressions_as_terms() -> None:
    """`/.../` is a regular expression, with `i` in any case; plain text ignores case."""
    cases = [("/^OK [0-9]+$/", b"OK 17", True), ("/^ok/", b"OK", False), ("/^ok/i", b"OK", True)]
    for term, body, found in [*cases, ("a.c", b"abc", False), ("/", b"a/b", True)]:
        by = policy(response=ResponseMapping(outcome_search_term=term))
        assert judged(200, body, by).ok is found
    with pytest.raises(InvalidInput):
        check_term("/(/", "f")


def test_paths_without_a_term() -> None:
    """Reason, price and reference are read even where the status decides."""
    mapping = ResponseMapping(reason_path="/r/why", price_path="/r/@price", reference_path="/r/@id")
    by = policy(response=mapping)
    good = judged(201, b'<r id="7" price="$1.25"/>', by)
    assert (good.reference, good.price, good.http_status) == ("7", 1.25, 201)
    bad = judged(422, b'<r id="7"><why>too old</why></r>', by)
    assert (bad.reason, bad.reference, bad.price) == ("too old", "7", None)
    assert judged(503, b"<r><why>x</why></r>", by).reason == "HTTP 503"


@pytest.mark.parametrize(
    ("text", "price"),
    [("12", 12.0), ("€3.5", 3.5), ("3.5 EUR", 3.5), ("-1", None), ("nan", None), ("1e9", None)],
)
def test_prices(text: str, price: float | None) -> None:
    """A price is a plain number with or without a currency; anything else is none."""
    by = policy(response=ResponseMapping(price_path="p"))
    assert judged(200, f'{{"p": "{text}"}}'.encode(), by).price == price


def rule(name: str = "r", result: Result = Result.FAILURE, **conditions: Any) -> Rule:
    """Return a rule."""
    return Rule(name=name, result=result, **conditions)


BODY = b'{"code": "E17", "text": "please wait"}'


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({}, True),
        ({"status": ("500",)}, True),
        ({"status": ("4xx", "500-502")}, True),
        ({"status": ("501-599",)}, False),
        ({"error": (C.TIMEOUT,)}, False),
        ({"header": ("X-Code", "^7")}, True),
        ({"header": ("x-code", "^8")}, False),
        ({"header": ("x-other", "")}, False),
        ({"body": "please +wait"}, True),
        ({"body": "please now"}, False),
        ({"path": "code"}, True),
        ({"path": "code", "equals": "E17"}, True),
        ({"path": "code", "equals": "E18"}, False),
        ({"path": "other"}, False),
        ({"status": ("500",), "path": "code", "body": "nothing"}, False),
    ],
)
def test_rule_conditions(conditions: dict[str, Any], matches: bool) -> None:  # noqa: FBT001  # a table
    """S2.49, S2.50: a rule matches when all its given conditions hold."""
    by = policy(rules=(rule(**conditions),))
    outcome = judged(500, BODY, by, headers={"x-code": "77"})
    assert (outcome.rule == "r") is matches


def test_rules_see_channel_errors() -> None:
    """A rule may name channel errors; a status condition fails without a status."""
    by = policy(rules=(rule("s", status=("5xx",)), rule("t", error=(C.TIMEOUT, C.DNS))))
    outcome = judged(None, error=C.DNS, error_code="EAI_NONAME", by=by)
    assert (outcome.rule, outcome.result, outcome.retryable) == ("t", *HARD)
    assert outcome.failure_class is C.DNS


def test_the_first_rule_decides() -> None:
    """S2.49: order matters, and rules come before the mapping and the table."""
    rules = (
        rule("first", Result.ERROR, body="wait", delay=30.0, reason="asked to wait"),
        rule("second", Result.SUCCESS, body="wait"),
    )
    outcome = judged(200, BODY, policy(rules=rules, response=MAPPING))
    assert (outcome.rule, outcome.result, outcome.retryable) == ("first", *SOFT)
    assert (outcome.reason, outcome.retry_after_ms) == ("asked to wait", 30_000)
    swapped = judged(200, BODY, policy(rules=rules[::-1], response=MAPPING))
    assert (swapped.rule, swapped.ok) == ("second", True)


def test_a_rule_delay_is_a_minimum() -> None:
    """The partner's own longer hint stays."""
    by = policy(rules=(rule(result=Result.ERROR, delay=30.0),))
    assert judged(503, by=by, headers={"retry-after": "60"}).retry_after_ms == 60_000
    assert judged(503, by=by, headers={"retry-after": "10"}).retry_after_ms == 30_000


@pytest.mark.parametrize(
    ("given", "status", "expected"),
    [
        (rule(), 200, (*HARD, C.BUSINESS)),
        (rule(), 404, (*HARD, C.PROTOCOL)),
        (rule(result=Result.ERROR), 200, (*SOFT, C.SERVER)),
        (rule(result=Result.ERROR, retryable=False), 503, (*OURS, C.SERVER)),
        (rule(failure_class=C.DATA), 503, (*HARD, C.DATA)),
        (rule(result=Result.SKIP), 200, (Result.SKIP, False, C.BUSINESS)),
    ],
)
def test_what_a_rule_means(
    given: Rule, status: int, expected: tuple[Result, bool, FailureClass]
) -> None:
    """Retryable follows the result unless given; the class is the rule's or the table's."""
    outcome = judged(status, by=policy(rules=(given,)))
    assert (outcome.result, outcome.retryable, outcome.failure_class) == expected


def test_rules_mark_duplicates_and_keep_endpoints() -> None:
    """A rule can declare a duplicate, and a 410 that it calls soft disables nothing."""
    assert judged(200, by=policy(rules=(rule(duplicate=True),))).duplicate
    assert not judged(410, by=policy(rules=(rule(result=Result.ERROR),))).disable_endpoint


def test_retry_on() -> None:
    """S2.21: a custom 418 is made retryable, and is then an `error` by our words."""
    by = policy(retry_on=("418", "business"))
    for status in (418, 402):
        outcome = judged(status, by=by)
        assert (outcome.result, outcome.retryable) == SOFT
    assert not judged(400, by=by).retryable
    assert not judged(410, by=policy(retry_on=("410",))).disable_endpoint


def test_never_retry_beats() -> None:
    """S2.21, S2.41: excluded statuses and classes are not retried, even when listed in both."""
    by = policy(retry_on=("5xx", "timeout"), never_retry=("501", "505", "dns", "timeout"))
    for status in (501, 505, 504, 408):
        assert not judged(status, by=by).retryable
    assert judged(500, by=by).retryable
    assert not judged(None, error=C.DNS, by=by).retryable
    assert judged(None, error=C.CONNECT, by=by).retryable


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("503", (503, 503)),
        ("5xx", (500, 599)),
        ("5XX", (500, 599)),
        ("500-502", (500, 502)),
        ("xxx", None),
        ("0xx", None),
        ("50x", None),
        ("5000", None),
        ("timeout", None),
        ("", None),
    ],
)
def test_status_patterns(pattern: str, expected: tuple[int, int] | None) -> None:
    """One status, a hundred, or a range."""
    assert status_range(pattern) == expected


texts = st.sampled_from([b"accepted", b"duplicate", b"quota exceeded", b"{", b"<a/>", b""])


@given(
    status=st.none() | st.integers(0, 9999),
    body=st.binary(max_size=100) | texts,
    error=st.none() | st.sampled_from(C),
    by=st.sampled_from([PLAIN, policy(response=MAPPING), policy(retry_on=("4xx", "data"))]),
)
def test_invariants(
    status: int | None, body: bytes, error: FailureClass | None, by: Policy
) -> None:
    """Nothing raises; a hard failure is never retryable; every non-success has class and reason."""
    outcome = classify(reply(status, body, error=error), by)
    assert not (outcome.result is Result.FAILURE and outcome.retryable)
    assert outcome.ok or (outcome.failure_class and outcome.reason and outcome.message)
    assert not (outcome.ok and (outcome.retryable or outcome.excerpt))
    assert not outcome.duplicate or outcome.failure_class is C.BUSINESS
