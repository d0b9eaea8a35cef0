"""Virtual time for tests: the lab's clock and event loop, under the name that tests know."""

from holdfast.lab.clock import START, Deadlock, VirtualClock, VirtualLoop, run

__all__ = ["START", "Deadlock", "VirtualClock", "VirtualLoop", "run"]
