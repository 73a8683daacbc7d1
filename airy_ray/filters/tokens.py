r"""The tokens of the filter language, as Lucene's classic query parser (8.7) cuts them.

luqum's own tokens are those of other dialects: it knows no `&&`, `||` and `!`, refuses words that
begin with an apostrophe, and takes `/` and quotes into words. Only its grammar is used.
"""

import re
from collections.abc import Iterator

from luqum.head_tail import TokenValue
from luqum.tree import Phrase, Regex, Word
from ply.lex import LexToken

from airy_ray.errors import FilterError

LENGTH_MAX = 20_000
TOKENS_MAX = 5_000
NESTING_MAX = 50

_SPACE = " \t\n\r\u3000"
_START = rf'(?:[^{_SPACE}+\-!():^\[\]"{{}}~*?\\/]|\\.)'
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BOUND = rf'(?:{_QUOTED}|[^ \]}}"][^ \]}}]*)'
_TOKEN = re.compile(
    rf"""
    (?P<space>[{_SPACE}]+)
    |(?P<lone>[+\-!](?=[{_SPACE}]))  # an operator before a space is a word
    |(?P<word>(?:{_START}|[*?])(?:{_START}|[*?+\-])*)
    |(?P<quoted>{_QUOTED})
    |(?P<regex>/(?:[^/\\]|\\.)*/)
    |(?P<range>(?P<opening>[\[{{])[{_SPACE}]*(?P<low>{_BOUND})[{_SPACE}]+(?:TO[{_SPACE}]+)?
        (?P<high>{_BOUND})[{_SPACE}]*(?P<closing>[\]}}]))
    |~(?P<approx>[0-9]{{0,9}}(?:\.[0-9]{{1,9}})?)
    |\^[{_SPACE}]*(?P<boost>[0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)
    |(?P<sign>[+\-!():])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPERATORS = {"AND": "AND_OP", "&&": "AND_OP", "OR": "OR_OP", "||": "OR_OP", "NOT": "NOT"}
_SIGNS = {"+": "PLUS", "-": "MINUS", "!": "NOT", "(": "LPAREN", ")": "RPAREN", ":": "COLUMN"}
_EDITS = "2"
"""How far a fuzzy word may be from the one written when nothing is said."""


def tokens(text: str) -> list[LexToken]:
    """Return the tokens of a filter, as luqum's grammar takes them.

    Raises:
        FilterError: it has what is no token, or is too long or nested too deeply.
    """
    if len(text) > LENGTH_MAX:
        raise FilterError(f"it is longer than {LENGTH_MAX} characters")
    found = list(_tokens(text))
    if len(found) > TOKENS_MAX:
        raise FilterError(f"it has more than {TOKENS_MAX} parts")
    depth = 0
    for token in found:
        depth += (token.type == "LPAREN") - (token.type == "RPAREN")
        if depth > NESTING_MAX:
            raise FilterError(f"it is nested deeper than {NESTING_MAX} levels")
    return found


def _tokens(text: str) -> Iterator[LexToken]:
    at, last = 0, ""
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise FilterError(f"unexpected {text[at]!r} at position {at}")
        for kind, value in _meant(found, last):
            yield _token(kind, value, at)
            last = kind
        at = found.end()


def _meant(found: re.Match[str], last: str) -> list[tuple[str, object]]:
    match found.lastgroup:
        case "space":
            return []
        case "lone":
            return [("TERM", Word("\\" + found[0]))]
        case "word":
            kind = _OPERATORS.get(found[0])
            return [("TERM", Word(found[0])) if kind is None else (kind, TokenValue(found[0]))]
        case "quoted":
            return [("PHRASE", Phrase(found[0]))]
        case "regex":
            return [("REGEX", Regex(found[0]))]
        case "approx":
            return [("APPROX", TokenValue(_distance(found["approx"], last)))]
        case "boost":
            return [("BOOST", TokenValue(found["boost"]))]
        case "sign":
            return [(_SIGNS[found[0]], TokenValue(found[0]))]
        case _:
            return [
                ("LBRACKET", TokenValue(found["opening"])),
                _bound(found["low"]),
                ("TO", TokenValue("TO")),
                _bound(found["high"]),
                ("RBRACKET", TokenValue(found["closing"])),
            ]


def _bound(text: str) -> tuple[str, object]:
    return ("PHRASE", Phrase(text)) if text.startswith('"') else ("TERM", Word(text))


def _distance(written: str, last: str) -> str:
    """Return the number behind a `~`; behind a phrase it is a whole one."""
    if last == "PHRASE":
        return written.partition(".")[0] or "0"
    return written or _EDITS


def _token(kind: str, value: object, at: int) -> LexToken:
    token = LexToken()
    token.type, token.value, token.lineno, token.lexpos = kind, value, 1, at
    return token
