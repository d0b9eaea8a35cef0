"""Seeded simulation of whole runs with faults and crashes, and a ledger that checks the promises.

One seed makes one world: partners and their troubles, policies, limits, traffic, operators and
faults. The engine runs in it whole, over a real store in memory, in virtual time. A seed gives
the same journal every time.
"""

from holdfast.testing.simulator.run import Report, Simulation

__all__ = ["Report", "Simulation", "simulate"]


def simulate(seed: int, workers: int = 1) -> Report:
    """Run one seed with so many workers at most."""
    return Simulation(seed, workers).run()
