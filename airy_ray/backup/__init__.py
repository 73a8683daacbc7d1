"""Backups of a data directory, taken while it is in use, and what is made of them again."""

__all__: list[str] = []
