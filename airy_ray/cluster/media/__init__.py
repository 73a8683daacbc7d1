"""Files of messages: what they are, and the store that keeps them."""

__all__: list[str] = []
