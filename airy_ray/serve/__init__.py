"""What the world reaches: webhooks, the API, and how both are deployed on Ray Serve."""

__all__: list[str] = []
