"""How stores keep their promises: one folder per backend, all pass `testing.store_suite`."""
