"""Retry budgets in motion: a recipient's own and the one it shares with its account."""

from holdfast.model.throttle import BudgetSettings
from holdfast.policy import budget


class Purse:
    """One bucket; nothing of it outlives its owner.

    Args:
        settings: of the recipient or the account.
        now: ms since the epoch.
        unused: nobody owned the lanes before, so that it is full. Else it begins empty: a worker
            that starts again and again would find a full one each time.
    """

    def __init__(self, settings: BudgetSettings, now: int, *, unused: bool = True) -> None:
        self.firsts = 0
        """First tries since the bucket was last looked at."""
        self._settings = settings
        self._state = budget.full(settings, now) if unused else budget.empty(now)

    def opens_at(self, price: float, now: int) -> int:
        """Return when a retry of that price can be paid, `now` when it can be already."""
        if not self._settings.enabled:
            return now
        self._state = budget.refilled(self._state, self._settings, self.firsts, now)
        self.firsts = 0
        return budget.opens_at(self._state, self._settings, price, now)

    def pay(self, price: float) -> None:
        """Take a retry's price out, or give it back (negative)."""
        self._state = budget.spent(self._state, price)

    @property
    def tokens(self) -> float:
        """Return what was in it when it was last looked at."""
        return self._state.tokens


class RetryBudget:
    """What a lane asks before each retry.

    Args:
        own: the recipient's purse.
        account: the account's, shared with its other recipients.
    """

    def __init__(self, own: Purse, account: Purse) -> None:
        self.closed_until = 0
        """Retries wait until then, ms since the epoch."""
        self.deferred = 0
        """Retries that were due and had to wait."""
        self.firsts_left = True
        """The store may hold first tries that are due."""
        self._own = own
        self._account = account
        self._waits = ""

    def first(self) -> None:
        """Note a first try: it pays in."""
        self._own.firsts += 1
        self._account.firsts += 1

    def retry(self, delivery_id: str, failure_class: str | None, now: int) -> bool:
        """Pay for a retry and return True, or note until when retries wait."""
        price = budget.cost(failure_class)
        opens = max(self._own.opens_at(price, now), self._account.opens_at(price, now))
        if opens <= now:
            self._own.pay(price)
            self._account.pay(price)
            return True
        if delivery_id != self._waits:
            self._waits = delivery_id
            self.deferred += 1
        self.closed_until = opens
        self.firsts_left = True
        return False

    def refund(self, failure_class: str | None) -> None:
        """Give back what a retry cost: it succeeded."""
        price = budget.cost(failure_class)
        self._own.pay(-price)
        self._account.pay(-price)
