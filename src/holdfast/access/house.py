"""Everything about who may do what, put together for the doors."""

from holdfast.access.chain import Chain
from holdfast.access.desk import Desk
from holdfast.access.passwords import Passwords
from holdfast.access.signed import Digest
from holdfast.access.staff import Staff
from holdfast.access.tries import Tries
from holdfast.access.versions import Versions
from holdfast.clock import Clock
from holdfast.model.flow import Catalog
from holdfast.model.message import NEVER
from holdfast.people import People


class House:
    """What the doors ask about people.

    Args:
        people: the store.
        clock: time.
        catalog: has the accounts.
        digest: makes keyed sums (`Vault.digest`).
        passwords: makes and checks hashes.
        events_ms: older retry events are pruned.
    """

    def __init__(
        self,
        people: People,
        clock: Clock,
        catalog: Catalog,
        *,
        digest: Digest,
        passwords: Passwords | None = None,
        events_ms: int = NEVER,
    ) -> None:
        self.versions = Versions(people, clock, digest)
        self.tries = Tries(people, digest, clock.now, age_ms=events_ms)
        self.chain = Chain(people, digest, clock.now, self.tries)
        self.desk = Desk(people, clock, passwords)
        self.staff = Staff(self.desk, frozenset({"default", *catalog.accounts}))
