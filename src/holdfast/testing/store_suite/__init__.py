"""The conformance suite of stores: every promise of `holdfast.store`, as tests.

A store proves itself by a subclass in its tests:

    class TestMyStore(StoreSuite, OwningSuite):
        @pytest.fixture
        async def store(self) -> AsyncIterator[Store]: ...

with `OwningSuite` when one process owns everything, with `LeasingSuite` when workers share it.
The fixture gives an empty store and closes it. The suite needs pytest with pytest-asyncio in auto
mode.
"""

from holdfast.testing.store_suite.accepting import AcceptingSuite
from holdfast.testing.store_suite.alerting import AlertingSuite
from holdfast.testing.store_suite.following import FollowingSuite
from holdfast.testing.store_suite.grouping import GroupingSuite
from holdfast.testing.store_suite.guarding import GuardingSuite
from holdfast.testing.store_suite.keeping import KeepingSuite
from holdfast.testing.store_suite.leasing import LeasingSuite
from holdfast.testing.store_suite.operating import OperatingSuite
from holdfast.testing.store_suite.owning import OwningSuite
from holdfast.testing.store_suite.reading import ReadingSuite
from holdfast.testing.store_suite.searching import SearchingSuite
from holdfast.testing.store_suite.sums import SumsSuite
from holdfast.testing.store_suite.transiting import TransitingSuite

__all__ = ["LeasingSuite", "OwningSuite", "StoreSuite"]


class StoreSuite(
    AcceptingSuite,
    TransitingSuite,
    FollowingSuite,
    ReadingSuite,
    SearchingSuite,
    KeepingSuite,
    OperatingSuite,
    GroupingSuite,
    AlertingSuite,
    GuardingSuite,
    SumsSuite,
):
    """Subclass it, name the class `Test...` and give it a `store` fixture."""
