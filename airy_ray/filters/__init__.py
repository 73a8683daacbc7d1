"""What people look for: the filter language and full text, from what they typed to queries."""

__all__: list[str] = []
