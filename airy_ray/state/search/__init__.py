"""The search index of a state: what is found by it, how it is fed, how it is asked."""

__all__: list[str] = []
