"""A seeded stream of believable leads. Nobody in it exists: example.com, 555 numbers, area 000."""

import random
from collections.abc import Iterator
from typing import Any, Final

import msgspec

REPEAT_SHARE: Final = 0.012
"""Share of leads that repeat an earlier person: partners refuse those as duplicates."""
TYPO_SHARE: Final = 0.012
"""Share of leads with a postal code that does not exist."""
_REMEMBERED: Final = 500
"""How many earlier persons may come back."""

_FIRST: Final = (
    *("Ada", "Ben", "Carla", "Dario", "Elif", "Femi", "Grace", "Hana", "Ivan", "Jonas", "Kira"),
    *("Liam", "Mara", "Nils", "Omar", "Paula", "Quinn", "Rosa", "Sami", "Tara", "Viktor", "Yara"),
)
_LAST: Final = (
    *(
        "Abbott",
        "Becker",
        "Castillo",
        "Dumont",
        "Eriksen",
        "Fischer",
        "Garcia",
        "Hughes",
        "Ibrahim",
    ),
    *("Jansen", "Kowalski", "Lindgren", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Santos"),
    *("Tanaka", "Varga", "Weber", "Yilmaz", "Zhang"),
)
_PLACES: Final = (
    ("Austin", "TX", "78701", "US"),
    ("Denver", "CO", "80202", "US"),
    ("Boise", "ID", "83702", "US"),
    ("Tampa", "FL", "33602", "US"),
    ("Madison", "WI", "53703", "US"),
    ("Lyon", "ARA", "69002", "EU"),
    ("Leipzig", "SN", "04109", "EU"),
)
_PRODUCTS: Final = (
    ("solar", 18.0, 95.0),
    ("auto-insurance", 6.0, 40.0),
    ("home-insurance", 8.0, 55.0),
    ("mortgage", 35.0, 160.0),
    ("education", 10.0, 60.0),
)


class Lead(msgspec.Struct, frozen=True):
    """One line for the intake: the fields are those of a message."""

    payload: dict[str, Any]
    key: str
    value: float
    priority: int
    quality: int
    region: str
    consent: dict[str, Any]


def leads(seed: int, run: str) -> Iterator[Lead]:
    """Yield leads for ever; the same `seed` and `run` give the same leads in the same order.

    Args:
        seed: seed of all draws.
        run: part of every idempotency key and mail address, so that two runs on one data folder
            do not collide.
    """
    rng = random.Random(seed)  # noqa: S311  # made-up people need no strong randomness
    earlier: list[dict[str, Any]] = []
    number = 0
    while True:
        number += 1
        person = _person(rng, f"{run}-{number}")
        if earlier and rng.random() < REPEAT_SHARE:
            person = rng.choice(earlier)
        elif rng.random() < TYPO_SHARE:
            person = person | {"postal_code": rng.choice(("0000", "ABCDE", "9999999"))}
        else:
            earlier = [*earlier[-_REMEMBERED:], person]
        yield _lead(rng, person, f"{run}-{number:06d}")


def _person(rng: random.Random, tag: str) -> dict[str, Any]:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    city, state, postal_code, region = rng.choice(_PLACES)
    return {
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}.{tag}@example.com".lower(),
        "phone": f"+1{rng.randint(201, 989)}555{rng.randint(100, 199):04d}",
        "ssn": f"000-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}",
        "city": city,
        "state": state,
        "postal_code": postal_code,
        "region": region,
        "ip": f"192.0.2.{rng.randint(1, 254)}",
    }


def _lead(rng: random.Random, person: dict[str, Any], key: str) -> Lead:
    product, low, high = rng.choice(_PRODUCTS)
    quality = min(100, max(5, round(rng.gauss(68, 18))))
    value = round(low + (high - low) * quality / 100, 2)
    payload = {name: text for name, text in person.items() if name != "region"}
    payload |= {"product": product, "budget": rng.randrange(500, 25_000, 250)}
    return Lead(
        payload=payload,
        key=key,
        value=value,
        priority=8 if value > 100 else 5 if value > 30 else 2,
        quality=quality,
        region=person["region"],
        consent={"marketing": True, "source": "https://forms.example.com/quote", "version": 3},
    )
