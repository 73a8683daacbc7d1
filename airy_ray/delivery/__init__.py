"""What is decided about messages on their way out: order, pace, trying again, giving up. Pure."""

__all__: list[str] = []
