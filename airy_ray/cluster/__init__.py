"""The processes: partition actors, their clients, the supervisor; all that calls Ray's actors."""

__all__: list[str] = []
