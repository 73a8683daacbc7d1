"""The HTTP API: one module per area of the contract, one table of endpoints."""

__all__: list[str] = []
