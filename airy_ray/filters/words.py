"""The words of a text, the same for what is stored and for what is asked."""

import re

WORD_MAX = 255
"""A longer word is cut into pieces, as Lucene does."""

_BETWEEN_SPACES = re.compile(rf"\S{{1,{WORD_MAX}}}")
_LETTERS = re.compile(r"\w{1,100}")


def words(text: str) -> list[str]:
    """Return what stands between white space, in lower case (contract: platform API §8.1)."""
    return _BETWEEN_SPACES.findall(text.lower())


def spoken_words(text: str) -> list[str]:
    """Return the words of a message, without punctuation, in lower case."""
    return _LETTERS.findall(text.lower())


def spoken_places(text: str) -> list[tuple[int, int, str]]:
    """Return where the words of a message are: start, end, and the word in lower case."""
    return [(found.start(), found.end(), found[0].lower()) for found in _LETTERS.finditer(text)]
