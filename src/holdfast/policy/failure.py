"""What a reply means: one classifier for all channels (S1.122, S2.4-S2.12, S2.41-S2.52).

The order is C40's: the policy's rules, then the integration's reading of the answer, then the
channel's error, then the table of statuses. `retry_on` and `never_retry` speak last.
"""

import functools
import re
from typing import Final, NamedTuple

import msgspec

from holdfast.model.attempt import FailureClass, Outcome, Reply, Result
from holdfast.model.policy import Policy, ResponseMapping, Rule
from holdfast.policy import pattern
from holdfast.policy.extract import Answer
from holdfast.policy.hint import patience_ms
from holdfast.policy.reason import normalise

EXCERPT_MAX: Final = 2048
"""Bytes of an answer that are kept with a failed attempt."""
REFERENCE_MAX: Final = 200
_NO_MAPPING: Final = ResponseMapping()
_SUCCESS: Final = {
    status: Outcome(result=Result.SUCCESS, http_status=status) for status in range(200, 300)
}
_DUPLICATE: Final = re.compile(
    r"duplicate|already (?:exists|received|processed|submitted)", re.IGNORECASE
)
_QUOTA: Final = re.compile(
    r"quota.{0,20}(?:exceeded|exhausted|reached)|(?:exceeded|exhausted).{0,20}quota"
    r"|rate.?limit.{0,20}(?:exceeded|reached)|too many requests",
    re.IGNORECASE,
)
_PRICE: Final = re.compile(r"[$€£]? ?([0-9]{1,12}(?:\.[0-9]{1,9})?)(?: ?[$€£]| [A-Z]{3})?")
_STATUS: Final = re.compile(r"([1-9])xx|([1-9][0-9]{2})(?:-([1-9][0-9]{2}))?", re.IGNORECASE)


class Verdict(NamedTuple):
    """What a status or a channel error means before the policy is asked."""

    result: Result
    retryable: bool
    failure_class: FailureClass


def _soft(failure_class: FailureClass) -> Verdict:
    return Verdict(Result.ERROR, retryable=True, failure_class=failure_class)


def _hard(failure_class: FailureClass) -> Verdict:
    return Verdict(Result.FAILURE, retryable=False, failure_class=failure_class)


def _ours(failure_class: FailureClass) -> Verdict:
    """It would pass once we are set right, which no automatic retry does (C1)."""
    return Verdict(Result.ERROR, retryable=False, failure_class=failure_class)


_ERRORS: Final = {
    FailureClass.TIMEOUT: _soft(FailureClass.TIMEOUT),
    FailureClass.CONNECT: _soft(FailureClass.CONNECT),
    FailureClass.DNS: _soft(FailureClass.DNS),
    FailureClass.TLS: _soft(FailureClass.TLS),
    FailureClass.RATE_LIMIT: _soft(FailureClass.RATE_LIMIT),
    FailureClass.SERVER: _soft(FailureClass.SERVER),
    FailureClass.AUTH: _ours(FailureClass.AUTH),
    FailureClass.DATA: _hard(FailureClass.DATA),
    FailureClass.BUSINESS: _hard(FailureClass.BUSINESS),
    FailureClass.PROTOCOL: _soft(FailureClass.PROTOCOL),
    FailureClass.CONFIGURATION: _ours(FailureClass.CONFIGURATION),
    FailureClass.PHYSICAL: _soft(FailureClass.PHYSICAL),
    FailureClass.CANCELLED: _soft(FailureClass.CANCELLED),
}
"""Every class of trouble below the answer. TLS is soft: an expired certificate is the recipient's
trouble, which the lane holds; hard would kill everything that waits for the new one."""

_STATUSES: Final = {
    401: _ours(FailureClass.AUTH),
    402: _hard(FailureClass.BUSINESS),
    403: _ours(FailureClass.AUTH),
    407: _ours(FailureClass.AUTH),
    404: _hard(FailureClass.PROTOCOL),
    405: _hard(FailureClass.PROTOCOL),
    406: _hard(FailureClass.PROTOCOL),
    408: _soft(FailureClass.TIMEOUT),
    409: _hard(FailureClass.BUSINESS),
    410: _hard(FailureClass.PROTOCOL),
    425: _soft(FailureClass.SERVER),
    429: _soft(FailureClass.RATE_LIMIT),
    451: _hard(FailureClass.BUSINESS),
    504: _soft(FailureClass.TIMEOUT),
}
_RANGES: Final = {
    3: _hard(FailureClass.PROTOCOL),  # redirects are not followed: each hop is a new recipient
    4: _hard(FailureClass.DATA),
    5: _soft(FailureClass.SERVER),
}
_STRANGE: Final = _soft(FailureClass.PROTOCOL)
"""1xx as a final answer, or a status that HTTP does not have."""
_GATEWAY: Final = frozenset({502, 504})
"""A gateway that gave up waiting may have passed the request on."""


def classify(reply: Reply, policy: Policy) -> Outcome:
    """Judge a reply by a policy. It never raises on what a partner sent."""
    if (
        reply.error is None
        and reply.status in _SUCCESS
        and not policy.rules
        and policy.response == _NO_MAPPING
    ):
        return _SUCCESS[reply.status]
    answer = Answer(reply.body)
    outcome = _by_rules(reply, policy, answer) or _by_mapping(reply, policy.response, answer)
    return _adjusted(outcome or _by_table(reply, policy.response, answer), policy)


def status_range(text: str) -> tuple[int, int] | None:
    """Read `503`, `5xx` or `500-599` as (lowest, highest); None: not a status pattern."""
    match = _STATUS.fullmatch(text)
    if match is None:
        return None
    hundred, low, high = match.groups()
    if hundred:
        return int(hundred) * 100, int(hundred) * 100 + 99
    return int(low), int(high or low)


def check_term(term: str, field: str) -> None:
    """Refuse a search term that is `/a broken regular expression/`.

    Raises:
        InvalidInput: the expression does not compile.
    """
    expression = _expression(term)
    if expression is not None:
        pattern.check(expression, field)


def _by_rules(reply: Reply, policy: Policy, answer: Answer) -> Outcome | None:
    for rule in policy.rules:
        if _matches(rule, reply, answer):
            return _ruled(rule, reply, policy.response, answer)
    return None


def _matches(rule: Rule, reply: Reply, answer: Answer) -> bool:
    """Ask the cheap conditions first; all given ones must hold."""
    if rule.status is not None and not _in_ranges(reply.status, rule.status):
        return False
    if rule.error is not None and reply.error not in rule.error:
        return False
    if rule.header is not None:
        name, expression = rule.header
        value = reply.headers.get(name.lower())
        if value is None or not pattern.compiled(expression).search(value):
            return False
    if rule.path is not None:
        found = answer.find(rule.path)
        if found is None or (rule.equals is not None and found != rule.equals):
            return False
    return rule.body is None or pattern.compiled(rule.body).search(answer.text) is not None


def _ruled(rule: Rule, reply: Reply, mapping: ResponseMapping, answer: Answer) -> Outcome:
    if rule.result is Result.SUCCESS:
        return _succeeded(reply, mapping, answer, rule.name)
    soft = rule.result is Result.ERROR
    table = _verdict(reply)
    usual = FailureClass.SERVER if soft else FailureClass.BUSINESS
    failure_class = rule.failure_class or (table.failure_class if table else usual)
    verdict = Verdict(
        rule.result, soft if rule.retryable is None else rule.retryable, failure_class
    )
    outcome = _failed(reply, answer, verdict, rule.reason or rule.name, mapping)
    wait = outcome.retry_after_ms
    if rule.delay is not None:
        wait = max(wait or 0, round(rule.delay * 1000))
    return msgspec.structs.replace(
        outcome,
        rule=rule.name,
        retry_after_ms=wait,
        duplicate=rule.duplicate or outcome.duplicate,
    )


def _by_mapping(reply: Reply, mapping: ResponseMapping, answer: Answer) -> Outcome | None:
    """Read the integration's own outcome (domain knowledge of lead delivery).

    A match is evidence under every status below 500. Its absence is evidence only in a whole
    2xx answer: otherwise a 429 without the word "accepted" would be a hard failure.
    """
    status, term = reply.status, mapping.outcome_search_term
    if term is None or status is None:
        return None
    if 500 <= status < 600:
        return _failed(reply, answer, _verdict(reply) or _STRANGE, "Server error", mapping)
    path = mapping.outcome_search_path
    text = answer.text if path is None else answer.find(path)
    wanted = Result(mapping.outcome_on_match)
    if text is not None and _term(term).search(text):
        return _mapped(reply, mapping, answer, wanted, f"answer says {wanted.value}")
    if status not in _SUCCESS or reply.error is not None:
        return None
    if reply.truncated:  # the term may stand in the part that was not read: do not guess
        unknown = _ours(FailureClass.PROTOCOL)
        outcome = _failed(reply, answer, unknown, "answer is longer than what is read", mapping)
        return msgspec.structs.replace(outcome, maybe_received=True)
    inverse = Result.FAILURE if wanted is Result.SUCCESS else Result.SUCCESS
    return _mapped(reply, mapping, answer, inverse, f"answer does not say {wanted.value}")


def _mapped(
    reply: Reply, mapping: ResponseMapping, answer: Answer, result: Result, usual: str
) -> Outcome:
    if result is Result.SUCCESS:
        return _succeeded(reply, mapping, answer, None)
    soft = result is Result.ERROR
    verdict = _soft(FailureClass.SERVER) if soft else _hard(FailureClass.BUSINESS)
    reason = _told(mapping, answer) or mapping.default_reason or usual
    return _failed(reply, answer, _refined(verdict, reply, answer, reason), reason, mapping)


def _by_table(reply: Reply, mapping: ResponseMapping, answer: Answer) -> Outcome:
    verdict, status = _verdict(reply), reply.status
    if verdict is None:
        return _succeeded(reply, mapping, answer, None)
    if reply.error is not None and (status is None or status in _SUCCESS):
        reason = f"{reply.error} {reply.error_code}" if reply.error_code else reply.error.value
        return _failed(reply, answer, verdict, reason, mapping)
    told = _told(mapping, answer) if status is not None and status < 500 else None
    reason = told or f"HTTP {status}"
    return _failed(reply, answer, _refined(verdict, reply, answer, reason), reason, mapping)


def _verdict(reply: Reply) -> Verdict | None:
    """Look the reply up in the tables; None: a success.

    A status from 300 on was the partner's word even if the rest of the answer was lost; a 2xx
    whose answer broke off is judged by the error.
    """
    status = reply.status
    if status is not None and status not in _SUCCESS:
        return _STATUSES.get(status) or _RANGES.get(status // 100, _STRANGE)
    if reply.error is not None:
        return _ERRORS[reply.error]
    return None if status is not None else _STRANGE


def _refined(verdict: Verdict, reply: Reply, answer: Answer, reason: str) -> Verdict:
    """Let the answer's words tell duplicates and exhausted quotas from bad data (S2.43, S2.48)."""
    text = f"{reason}\n{answer.text[:EXCERPT_MAX]}"
    if verdict.failure_class in {FailureClass.DATA, FailureClass.BUSINESS}:
        if reply.status == 409 or _DUPLICATE.search(text):
            return _hard(FailureClass.BUSINESS)
        return _soft(FailureClass.RATE_LIMIT) if _QUOTA.search(text) else verdict
    if reply.status == 403 and _QUOTA.search(text):
        return _soft(FailureClass.RATE_LIMIT)
    return verdict


def _succeeded(reply: Reply, mapping: ResponseMapping, answer: Answer, rule: str | None) -> Outcome:
    return Outcome(
        result=Result.SUCCESS,
        http_status=reply.status,
        reference=_reference(mapping, answer),
        price=_price(mapping, answer),
        rule=rule,
    )


def _failed(
    reply: Reply, answer: Answer, verdict: Verdict, reason: str, mapping: ResponseMapping
) -> Outcome:
    """Build the outcome of anything but a success."""
    status, hard = reply.status, verdict.result is Result.FAILURE
    limited = status in {429, 503} or verdict.failure_class is FailureClass.RATE_LIMIT
    text = f"{reason}\n{answer.text[:EXCERPT_MAX]}"
    business = hard and verdict.failure_class is FailureClass.BUSINESS
    return Outcome(
        result=verdict.result,
        retryable=verdict.retryable,
        failure_class=verdict.failure_class,
        reason=reason,
        code=reply.error_code,
        http_status=status,
        message=_message(reply, reason),
        excerpt=reply.body[:EXCERPT_MAX].decode("utf-8", "replace") or None,
        reference=_reference(mapping, answer),
        retry_after_ms=patience_ms(reply, limited=limited),
        duplicate=business and (status == 409 or _DUPLICATE.search(text) is not None),
        maybe_received=reply.maybe_received or status in _GATEWAY,
        disable_endpoint=hard and status == 410,
    )


def _message(reply: Reply, reason: str) -> str:
    """One line with the tokens operators search for: `status=503`, `ETIMEDOUT` (S5.38)."""
    parts = []
    if reply.status is not None:
        parts.append(f"status={reply.status}")
    if reply.error_code and reply.error_code not in (reply.error_message or ""):
        parts.append(reply.error_code)
    if reply.error_message:
        parts.append(reply.error_message)
    elif reply.status is not None and reason != f"HTTP {reply.status}":
        parts.append(reason)
    return ": ".join(parts) or reason


def _adjusted(outcome: Outcome, policy: Policy) -> Outcome:
    """Apply the author's lists; `never_retry` beats `retry_on`.

    What the author declares to pass on a retry is an `error` by our words, not a `failure`.
    """
    if outcome.result not in {Result.FAILURE, Result.ERROR}:
        return outcome
    if policy.never_retry and _listed(policy.never_retry, outcome):
        return msgspec.structs.replace(outcome, retryable=False)
    if policy.retry_on and not outcome.retryable and _listed(policy.retry_on, outcome):
        return msgspec.structs.replace(
            outcome, result=Result.ERROR, retryable=True, disable_endpoint=False
        )
    return outcome


def _listed(names: tuple[str, ...], outcome: Outcome) -> bool:
    return outcome.failure_class in names or _in_ranges(outcome.http_status, names)


def _in_ranges(status: int | None, patterns: tuple[str, ...]) -> bool:
    return status is not None and any(low <= status <= high for low, high in _ranges(patterns))


@functools.lru_cache(maxsize=1024)
def _ranges(patterns: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(found for found in map(status_range, patterns) if found is not None)


def _expression(term: str) -> str | None:
    """Return what stands in `/expression/` or `/expression/i`; None: the term is plain text."""
    end = term.rfind("/")
    return term[1:end] if end > 0 and term[0] == "/" and term[end + 1 :] in {"", "i"} else None


@functools.lru_cache(maxsize=1024)
def _term(term: str) -> pattern.Pattern:
    """Compile a search term: an expression, or text in any case."""
    expression = _expression(term)
    if expression is None:
        return re.compile(re.escape(term), re.IGNORECASE)
    return pattern.compiled(expression, ignore_case=term.endswith("i"))


def _told(mapping: ResponseMapping, answer: Answer) -> str | None:
    found = answer.find(mapping.reason_path) if mapping.reason_path else None
    return normalise(found) if found else None


def _reference(mapping: ResponseMapping, answer: Answer) -> str | None:
    found = answer.find(mapping.reference_path) if mapping.reference_path else None
    return found[:REFERENCE_MAX] if found else None


def _price(mapping: ResponseMapping, answer: Answer) -> float | None:
    found = answer.find(mapping.price_path) if mapping.price_path else None
    match = _PRICE.fullmatch(found.strip()) if found else None
    return float(match.group(1)) if match else None
