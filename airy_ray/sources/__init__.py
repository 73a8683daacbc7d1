"""The messaging platforms: one module per source, one line per source in the table below."""

__all__: list[str] = []
