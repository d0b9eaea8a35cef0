"""Holdfast: durable outbound delivery; the recipient, not the message, is the unit of retry."""

__version__ = "0.1.0"
