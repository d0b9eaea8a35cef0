"""Decisions: what should happen. Pure functions of values, `now` and `rng`."""
