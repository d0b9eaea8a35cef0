"""Which failures are the same."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.delivery import Delivery
from holdfast.model.message import NEVER
from holdfast.policy import fingerprint

NOW = 1_767_225_600_000
PIECES = st.sampled_from(
    [
        "timeout", "reading", "HTTP", "503", "10.0.0.1", "api.acme.com:443", "<value>", "#", "'",
        '"', "`", "don't", "a@b.com", "http://x.y/z?q=1", "550e8400-e29b-41d4-a716-446655440000",
        "deadbeef01", "2026-01-31T08:00:00Z", ",", ":", "/", "//", "e1001", "30.5s", "  ", "_", "-",
        "Größe", "\u201c", "\u201d", "x" * 70, "9" * 70, "1,2,3", "=", "(", ")", "\x00",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=700), st.lists(PIECES, max_size=60).map("".join))


def delivery(**fields: str) -> Delivery:
    """Return a delivery; `fields` override its place."""
    made = Delivery(
        "dlv_1", "msg_1", "default", "leads", "acme", "acme", 5, None,
        followed=False, expires_at=NEVER, created_at=NOW,
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


def failed(reason: str | None, code: str | None = None, status: int | None = 422) -> Outcome:
    """Return an outcome that failed."""
    return Outcome(
        Result.ERROR, failure_class=FailureClass.DATA, reason=reason, code=code, http_status=status
    )


def group(outcome: Outcome, **fields: str) -> str | None:
    """Return the group of an outcome."""
    found = fingerprint.of_outcome(delivery(**fields), outcome, NOW)
    return None if found is None else found.id


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Timeout after 30.5s from api.acme.com:443", "timeout after # from <host>"),
        ("field 'tax_id' is missing for order 4711", "field <value> is missing for order #"),
        ("user 550e8400-e29b-41d4-a716-446655440000 gone", "user <id> gone"),
        ("don't send 1, 2, 3 after 2026-01-31T08:00:00Z", "don't send # after #"),
        ("10.0.0.1 refused http://x.y/z?q=1", "# refused <url>"),
        ("no such mailbox a.b+c@example.com", "no such mailbox <email>"),
        ("error E1001: bad zip", "error e# : bad zip"),
        ('unclosed "quote', "unclosed quote"),
        ("Größe ungültig", "größe ungültig"),
        ("", ""),
    ],
)
def test_what_makes_each_one_unique_is_masked(text: str, masked: str) -> None:
    """Numbers, ids, dates, hosts and quoted values; words stay."""
    assert fingerprint.mask(text) == masked


@given(TEXTS)
@example("'x don't y' z'")
def test_masking_twice_is_masking_once(text: str) -> None:
    """So a masked reason can be masked again wherever it comes from."""
    once = fingerprint.mask(text)
    assert fingerprint.mask(once) == once
    assert len(once) <= fingerprint.TEMPLATE_MAX


@given(st.integers(min_value=0), st.uuids(), st.ip_addresses(v=4), st.datetimes())
def test_numbers_ids_and_instants_do_not_part_groups(
    number: int, name: object, host: object, at: object
) -> None:
    """Whatever the values are, it is one group."""
    reason = f"order {number} of {name} at {host} failed on {str(at)[:10]}"
    fixed = "order 1 of 00000000-0000-4000-8000-00000000000a at 1.2.3.4 failed on 2026-01-01"
    assert group(failed(reason)) == group(failed(fixed))


@pytest.mark.parametrize("piece", ["'", '"', "a.", "1", "a-", "://", "@", "<", "x'", "a:'", "`b"])
def test_masking_reads_a_limited_part(piece: str) -> None:
    """A long text costs no more than its first characters do, so none can stall a worker."""
    short, long = piece * 500, piece * 500_000
    assert fingerprint.mask(short) == fingerprint.mask(long)


def test_a_group_is_one_cause_at_one_place() -> None:
    """Class, code, masked reason, recipient, flow, step and account each make another."""
    same = group(failed("bad zip 1"))
    assert same == group(failed("bad zip 2"))
    assert same is not None
    assert same.startswith(f"g{fingerprint.VERSION}_")
    others = {
        group(failed("bad city")),
        group(failed("bad zip 1", code="Z1")),
        group(failed("bad zip 1", status=400)),
        *(
            group(failed("bad zip 1"), **{name: "x"})
            for name in ("recipient", "flow", "step", "account")
        ),
    }
    assert len(others | {same}) == 8


def test_what_says_nothing_of_the_partner_is_in_no_group() -> None:
    """A success, and a send that we cut ourselves."""
    assert group(Outcome(Result.SUCCESS)) is None
    assert group(Outcome(Result.ERROR, failure_class=FailureClass.CANCELLED)) is None


def test_a_method_keeps_its_ids() -> None:
    """Version 1 groups as it always did: a change of it needs a new version."""
    assert group(failed("bad zip 77", code="Z1")) == "g1_814ac3d48abcecf3"
    end = fingerprint.of_end(delivery(), "PAYLOAD_MISSING", NOW)
    assert end is not None
    assert end.id == "g1_3523cc68d2427553"
