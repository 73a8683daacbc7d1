"""Phone numbers by which sources know their contacts; the sources have made sure whose they are."""

import re

_WRITTEN = {"whatsapp": "", "twilio.sms": "+", "twilio.whatsapp": "whatsapp:+"}
"""What comes before the digits of a number (E.164) in a contact's name, by source."""
_DIGITS = re.compile(r"[1-9][0-9]{6,14}")


def number_of(source: str, name: str) -> str | None:
    """Return the digits of the number that a contact is known by; None if it is no number."""
    written = _WRITTEN.get(source)
    if written is None or not name.startswith(written):
        return None
    digits = name[len(written) :]
    return digits if _DIGITS.fullmatch(digits) else None


def name_of(source: str, digits: str) -> str | None:
    """Return what a source calls the contact with a number; None if it knows none by numbers."""
    written = _WRITTEN.get(source)
    return None if written is None else written + digits
