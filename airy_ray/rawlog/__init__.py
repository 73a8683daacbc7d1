"""The raw log: every fact that entered, byte for byte, on disk before anyone is told ok."""

__all__: list[str] = []
