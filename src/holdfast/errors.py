"""Every exception Holdfast raises, in one tree.

    HoldfastError
    ├── ConfigError              the configuration cannot be used; names the place
    ├── InvalidInput             a caller's value is out of range; names field, value and range
    │   └── QueryError               a search cannot be read; names place and qualifier, too
    ├── Forbidden                who asks may not; says who may
    │   ├── Nameless                 it takes somebody with a name
    │   └── SelfApproval             who proposed it may not approve it
    ├── NotFound                 no such thing; names the known ones where that helps
    ├── Conflict                 changed meanwhile, or not allowed from the present state
    │   ├── KeyCollision         one idempotency key, two payloads
    │   └── Stale                the caller has seen another state; carries the present one
    ├── Unanswered               the worker that owns a lane did not do it in time
    ├── Overloaded               too much waits for the writer; come back after `retry_after_s`
    ├── StoreError               the store could not do it
    │   ├── StoreAway            its server cannot be reached now
    │   ├── StoreBusy            another process owns this store
    │   ├── StoreFull            no space, or the quota is reached
    │   ├── StoreLost            this process is no longer the owner (its epoch is old)
    │   └── StoreMismatch        the store is not ours, or from a newer version
    └── VaultError               a key is missing, or data does not open with it

A failed delivery is data, never an exception: see `model.attempt.Outcome`.
"""


class HoldfastError(Exception):
    """Base of every error Holdfast raises; `code` is the stable name that doors show."""

    code = "INTERNAL"


class ConfigError(HoldfastError):
    """The configuration cannot be used; the message names file, place, value and allowed range."""

    code = "INVALID_CONFIGURATION"


class InvalidInput(HoldfastError):
    """A caller's value is wrong.

    Args:
        field: dotted path of the value, such as `payload` or `deliveries.reason`.
        value: what was given (shortened by the caller when it is large).
        allowed: the range or the known names, in words.
    """

    code = "INVALID_INPUT"

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field}: {value!r} is not allowed; allowed: {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed


class QueryError(InvalidInput):
    """A search cannot be read.

    Args:
        position: place of what is wrong in the query, in characters from 1.
        qualifier: the part of the language, such as `status`.
        value: what was given.
        allowed: the range or the known names, in words.
    """

    code = "INVALID_QUERY"

    def __init__(self, position: int, qualifier: str, value: str, allowed: str) -> None:
        super().__init__(f"q, character {position}, {qualifier}", value, allowed)
        self.position = position
        self.qualifier = qualifier


class Forbidden(HoldfastError):
    """Who asks may not do it.

    Args:
        detail: what, and why not.
        allowed: who may, in words.
    """

    code = "FORBIDDEN"

    def __init__(self, detail: str, allowed: str) -> None:
        super().__init__(detail)
        self.allowed = allowed


class Nameless(Forbidden):
    """It takes somebody with a name: a user who signed in, or a token of the store."""

    code = "NAMELESS"


class SelfApproval(Forbidden):
    """Who proposed it may not approve it."""

    code = "SELF_APPROVAL"


class NotFound(HoldfastError):
    """There is no such thing; the message lists known names where that helps."""

    code = "NOT_FOUND"


class Conflict(HoldfastError):
    """The change is not possible from the present state, or the state changed meanwhile."""

    code = "CONFLICT"


class KeyCollision(Conflict):
    """The same idempotency key came with another payload (S5.39, C16)."""

    code = "IDEMPOTENCY_KEY_COLLISION"


class Stale(Conflict):
    """A change named a state that is not the present one.

    Args:
        message: what has changed.
        current: the present state: a delivery, or the view of a lane.
    """

    code = "STALE"

    def __init__(self, message: str, current: object) -> None:
        super().__init__(message)
        self.current = current


class Unanswered(HoldfastError):
    """Another worker owns the lane and did not do in time what was asked; the message says more."""

    code = "OWNER_SILENT"


class Overloaded(HoldfastError):
    """Too much is waiting for the writer; come back after `retry_after_s` seconds (S5.36)."""

    code = "OVERLOADED"

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreError(HoldfastError):
    """The store could not do what was asked."""

    code = "STORE_ERROR"


class StoreBusy(StoreError):
    """Another process owns this store."""

    code = "STORE_BUSY"


class StoreAway(StoreError):
    """The store's server cannot be reached now; what was asked for may have been done or not."""

    code = "STORE_AWAY"


class StoreFull(StoreError):
    """No space is left, or the quota is reached (S5.41)."""

    code = "STORAGE_FULL"


class StoreLost(StoreError):
    """This process no longer owns the lanes: a later owner raised the epoch."""

    code = "STORE_LOST"


class StoreMismatch(StoreError):
    """It is not a Holdfast store, or a newer version wrote it."""

    code = "STORE_MISMATCH"


class VaultError(HoldfastError):
    """A data key is missing or wrong; the message says how to recover."""

    code = "VAULT"
