"""Full text: the words that messages must hold, the last one perhaps not typed to its end yet."""

from dataclasses import dataclass
from html import escape

from airy_ray.filters.words import spoken_places, spoken_words
from airy_ray.model.ids import ConversationId

WORDS_MAX = 30
_AROUND = 80
"""How many characters are shown before the first word that matched."""
_SHOWN = 240


@dataclass(frozen=True)
class FullText:
    """Messages that hold all `words`, and one that begins with `prefix`.

    Attributes:
        conversation: the only one to look in, if not all.
        until: the greatest rank to be found; see `state.search.documents`.
    """

    words: tuple[str, ...]
    prefix: str
    conversation: ConversationId | None = None
    until: int | None = None


def full_text(query: str, *, conversation: ConversationId | None = None) -> FullText | None:
    """Return what to look for; None if there is no word in `query`. What is too much is left."""
    found = spoken_words(query)[:WORDS_MAX]
    if not found:
        return None
    return FullText(tuple(dict.fromkeys(found[:-1])), found[-1], conversation)


def snippet(text: str, wanted: FullText) -> str:
    """Return the part of a text around the first match, as HTML: matches are in `<em>`."""
    matches = [
        (start, end)
        for start, end, word in spoken_places(text)
        if word in wanted.words or word.startswith(wanted.prefix)
    ]
    begin = max(0, matches[0][0] - _AROUND) if matches else 0
    if begin:
        begin = _word_start(text, begin)
    finish = min(len(text), begin + _SHOWN)
    shown = ["…"] if begin else []
    at = begin
    for start, end in matches:
        if end > finish:
            break
        shown += [escape(text[at:start]), "<em>", escape(text[start:end]), "</em>"]
        at = end
    shown.append(escape(text[at:finish]))
    if finish < len(text):
        shown.append("…")
    return "".join(shown)


def _word_start(text: str, begin: int) -> int:
    """Return where the next word starts, if that is near."""
    space = text.find(" ", begin, begin + _AROUND // 2)
    return begin if space < 0 else space + 1
