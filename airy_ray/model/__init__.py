"""The nouns of the platform, frozen: ids, channels, messages, contacts, metadata, events."""

__all__: list[str] = []
