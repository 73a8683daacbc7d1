"""Files of messages: taken in, kept in a store, given out."""

__all__: list[str] = []
