"""One partition: its log, what its records mean, the state they come to. Runs without Ray."""

__all__: list[str] = []
