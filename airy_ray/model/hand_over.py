"""Whose a conversation is, the bots' or people's: both are heard in the order of the log.

1. A conversation begins as the bots'. It is people's once one of them has written in it, a program
   of theirs included, or once its state is set to anything but CLOSED.
2. CLOSED gives it back to the bots.
"""

from collections.abc import Mapping

BOTS = frozenset({"rasa-bot", "cognigy-bot", "ibm-watson-assistant-bot", "openai-bot"})
"""Whom messages of bots are from (sources §12); whoever else writes for us is a person."""

STATE = "state"
"""The key of a conversation's metadata that tells its state (contract: §4.4)."""

_CLOSED = b'"closed"'


def is_with_people(values: Mapping[str, bytes | None], *, before: bool) -> bool:
    """Return whose a conversation is after metadata was set, JSON text or None by dotted key."""
    state = values.get(STATE)
    return before if state is None else state.lower() != _CLOSED
