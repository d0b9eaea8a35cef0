"""The stream of leads: believable, repeatable, and about nobody who exists."""

import re
from itertools import islice

import msgspec

from holdfast.demo.leads import Lead, leads


def take(count: int, seed: int = 1, run: str = "r") -> list[Lead]:
    """Return the first leads of a stream."""
    return list(islice(leads(seed, run), count))


def test_one_seed_is_one_stream() -> None:
    """The same seed gives the same leads; another seed gives others."""
    assert take(200) == take(200)
    assert take(200) != take(200, seed=2)


def test_keys_are_unique_and_carry_the_run() -> None:
    """Two runs on one data folder cannot collide, and no key repeats within a run."""
    keys = {lead.key for lead in take(500, run="a")} | {lead.key for lead in take(500, run="b")}
    assert len(keys) == 1000


def test_nobody_is_real() -> None:
    """Mail is at example.com, phones are 555-01xx, the tax numbers lie in the unused area 000."""
    for lead in take(500):
        assert lead.payload["email"].endswith("@example.com")
        assert re.fullmatch(r"\+1\d{3}55501\d\d", lead.payload["phone"])
        assert lead.payload["ssn"].startswith("000-")
        assert lead.payload["ip"].startswith("192.0.2.")


def test_a_lead_is_a_valid_message() -> None:
    """Priority and quality lie in the ranges of a message, and the whole encodes as JSON."""
    for lead in take(500):
        assert 0 <= lead.priority <= 9
        assert 0 <= lead.quality <= 100
        assert lead.value > 0
        assert msgspec.json.decode(msgspec.json.encode(lead))["payload"] == lead.payload


def test_a_few_leads_are_worth_a_review() -> None:
    """Some people come back and some postal codes do not exist, so that partners refuse them."""
    some = take(2000)
    mails = [lead.payload["email"] for lead in some]
    typos = [lead for lead in some if not re.fullmatch(r"\d{5}", lead.payload["postal_code"])]
    assert 5 <= len(mails) - len(set(mails)) <= 60
    assert 5 <= len(typos) <= 60
