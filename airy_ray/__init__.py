"""A self-hosted messaging platform: webhooks in, conversations out, history reprocessable."""

__all__: list[str] = []
