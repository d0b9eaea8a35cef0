"""The spool in files: segments of sealed records in a private folder."""

from holdfast.stores.spool.spool import FileSpool

__all__ = ["FileSpool"]
