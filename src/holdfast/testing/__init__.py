"""The test kit we ship: virtual clock, scripted channel, conformance suites, simulator."""
