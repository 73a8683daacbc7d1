"""Realtime: STOMP over WebSocket (contract: platform API §9 and §12.3; design: §6)."""

PREFIX = "/ws"
"""Where Serve has the application; HAProxy brings `/ws.<name>` to `/ws/<name>` below it."""
