"""Files that must survive: LMDB environments, synced writes, marks shared between processes."""

__all__: list[str] = []
