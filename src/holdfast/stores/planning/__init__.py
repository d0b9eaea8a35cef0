"""What a batch means, decided without a database: pure, and the same for every backend.

A store looks up what is known (`accepting.Known`, `transiting.Known`), lets these modules decide,
and writes what they say in its own way, all in one transaction.
"""
