"""Nouns: what exists. Frozen values without behaviour that needs the world."""
