"""What the log came to: rows in LMDB, the change feed, and the queries that read them."""

__all__: list[str] = []
