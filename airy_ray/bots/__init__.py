"""Bots that answer contacts: one module per connector, what they are asked, what they say. Pure."""

__all__: list[str] = []
