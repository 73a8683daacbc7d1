"""The messaging platforms, played: traffic, their side of the APIs, and what must come of it.

Knows the platform as the outside world does, over HTTP. What must be found is told by an oracle of
its own, not by the projections that are to be checked.
"""

__all__: list[str] = []
