"""From a filter's text to its query, as Lucene's classic query parser means it (contract: §8.2).

1. There is no precedence: `AND` makes both its neighbours mandatory, `OR` leaves them as they are,
   `NOT` and `-` exclude. luqum's tree knows better, so its operations are laid flat again.
2. What excludes only, finds nothing.
3. Boosts weigh what is not sorted by weight here, and are passed over.
"""

import re
from collections.abc import Iterator
from typing import Any

from luqum import tree
from luqum.exceptions import ParseError
from luqum.parser import parser as grammar

from airy_ray.errors import FilterError
from airy_ray.filters.phrases import count_of
from airy_ray.filters.query import (
    KEYWORD_FIELDS,
    METADATA,
    NUMBER_FIELDS,
    TEXT_FIELDS,
    Combined,
    Everything,
    Fuzzy,
    Nothing,
    Numbers,
    Pattern,
    Phrase,
    Present,
    Query,
    Word,
)
from airy_ray.filters.tokens import tokens
from airy_ray.filters.words import WORD_MAX, words

CLAUSES_MAX = 1_024
SCANS_MAX = 20
"""How many wildcards, fuzzy words and the like: each looks through all words of its field."""

_DEFAULT_FIELD = "id"
_EDITS_MAX = 2
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_INTEGER_MAX = (1 << 63) - 1
_PIECE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)|([*?])|([^\\*?]+)", re.DOTALL)
_META = re.compile(r"[\\.+*?()|\[\]{}^$#&\-~]")
_MODIFIERS = (tree.Plus, tree.Prohibit, tree.Not)


def parse(text: str) -> Query:
    """Return what a filter asks for.

    Raises:
        FilterError: it cannot be understood, or asks for too much.
    """
    following = iter(tokens(text))
    try:
        root = grammar.parse(None, tokenfunc=lambda: next(following, None))
    except ParseError as error:
        raise FilterError(str(error).removeprefix("Syntax error in input : ")) from None
    return _Meaning().group(root, _DEFAULT_FIELD) or Nothing()


class _Meaning:
    """The meaning of one filter; counts what it asks for."""

    def __init__(self) -> None:
        self._clauses = 0
        self._scans = 0

    def group(self, node: Any, field: str) -> Query | None:
        """Return what clauses side by side ask for, in a field unless they name others."""
        clauses: list[tuple[str, Query]] = []
        for conjunction, each in _flat(node):
            modifier, inner = _modified(each)
            if conjunction == "AND" and clauses and clauses[-1][0] != "-":
                clauses[-1] = ("+", clauses[-1][1])
            query = self._clause(inner, field)
            if query is not None:
                if not modifier and conjunction == "AND":
                    modifier = "+"
                clauses.append((modifier, query))
        if len(clauses) == 1 and clauses[0][0] != "-":
            return clauses[0][1]
        return _combined(clauses) if clauses else None

    def _clause(self, node: Any, field: str) -> Query | None:
        self._clauses += 1
        if self._clauses > CLAUSES_MAX:
            raise FilterError(f"it has more than {CLAUSES_MAX} clauses")
        match node:
            case tree.SearchField(name=name, expr=expr):
                expr = _unboosted(expr)
                if isinstance(expr, (tree.SearchField, *_MODIFIERS)):
                    raise FilterError(f"{name}: a term, a phrase, a range or a group must follow")
                return self._of_field(expr, _field_name(name))
            case _:
                return self._of_field(node, field)

    def _of_field(self, node: Any, field: str) -> Query | None:
        if isinstance(node, tree.BaseGroup):
            return self.group(node.expr, field)
        if field == "*":
            is_all = isinstance(node, tree.Word) and node.value == "*"
            return Everything() if is_all else Nothing()
        if field in NUMBER_FIELDS:
            return _numbers(node, field)
        query = self._of_text(node, field)
        if query is not None and not _is_known(field):
            return Nothing()
        return query

    def _of_text(self, node: Any, field: str) -> Query | None:
        match node:
            case tree.Word(value=value):
                return self._word(value, field)
            case tree.Phrase(value=value):
                return self._phrase(_unescaped(value[1:-1]), field, 0)
            case tree.Proximity(term=term, degree=slop):
                return self._phrase(_unescaped(term.value[1:-1]), field, slop)
            case tree.Fuzzy(term=term, degree=degree):
                if _is_wildcard(term.value):
                    return self._word(term.value, field)
                return self._fuzzy(_unescaped(term.value), field, float(degree))
            case tree.Regex(value=value):
                self._scan(value)
                return Pattern(field, value[1:-1].replace("\\/", "/").lower())
            case tree.Range(low=low, high=high):
                if (_bound(low), _bound(high)) == (None, None) or not _is_known(field):
                    return Present(field)
                raise FilterError(f"{field}: ranges are of numbers, this field has words")
            case _:
                raise FilterError(f"unexpected {str(node)!r}")

    def _word(self, value: str, field: str) -> Query | None:
        if value == "*":
            return Present(field)
        if _is_wildcard(value):
            self._scan(value)
            return Pattern(field, _wildcard_regex(value))
        text = _unescaped(value)
        if field in KEYWORD_FIELDS:
            return Word(field, text.lower())
        found = [Word(field, word) for word in words(text)]
        if len(found) > 1:
            return Combined(should=tuple(found))
        return found[0] if found else None

    def _fuzzy(self, text: str, field: str, degree: float) -> Query:
        self._scan(text)
        similar = int(degree) if degree >= 1 else int((1 - degree) * len(text)) if degree else 0
        edits = min(similar, _EDITS_MAX)
        return Fuzzy(field, text.lower(), edits) if edits else Word(field, text.lower())

    def _phrase(self, text: str, field: str, slop: int) -> Query | None:
        if field in KEYWORD_FIELDS:
            return Word(field, text.lower()) if text else None
        found = tuple(words(text))
        if len(found) < 2:
            return Word(field, found[0]) if found else None
        self._clauses += _ways(len(found), slop) - 1
        if self._clauses > CLAUSES_MAX:
            raise FilterError(
                f"its {len(found)} words with ~{slop} may stand in too many ways: "
                f"more than {CLAUSES_MAX} with the other clauses"
            )
        return Phrase(field, found, slop)

    def _scan(self, text: str) -> None:
        self._scans += 1
        if self._scans > SCANS_MAX:
            raise FilterError(f"it has more than {SCANS_MAX} wildcards and fuzzy words")
        if len(text) > WORD_MAX:
            raise FilterError(f"a wildcard or fuzzy word is longer than {WORD_MAX} characters")


def _flat(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield the clauses of a tree of operations from left to right, each with what leads to it."""
    waiting = [("", root)]
    while waiting:
        conjunction, node = waiting.pop()
        if not isinstance(node, tree.BaseOperation):
            yield conjunction, node
            continue
        between = "AND" if isinstance(node, tree.AndOperation) else ""
        first, *others = node.operands
        waiting += [(between, other) for other in reversed(others)]
        waiting.append((conjunction, first))


def _modified(node: Any) -> tuple[str, Any]:
    """Return the sign before a clause, `+`, `-` or none, and the clause."""
    node = _unboosted(node)
    if not isinstance(node, _MODIFIERS):
        return "", node
    inner = _unboosted(node.a)
    if isinstance(inner, _MODIFIERS):
        raise FilterError("one operator follows another")
    return ("+" if isinstance(node, tree.Plus) else "-"), inner


def _unboosted(node: Any) -> Any:
    while isinstance(node, tree.Boost):
        node = node.expr
    return node


def _combined(clauses: list[tuple[str, Query]]) -> Query:
    must, should, must_not = (
        tuple(query for sign, query in clauses if sign == wanted) for wanted in ("+", "", "-")
    )
    return Combined(must, should, must_not) if must or should else Nothing()


def _is_known(field: str) -> bool:
    return field in TEXT_FIELDS or field in KEYWORD_FIELDS or field.startswith(METADATA)


def _field_name(written: str) -> str:
    if written == "*":
        return written
    if _is_wildcard(written):
        raise FilterError(f"{written}: the name of a field has no wildcards")
    return _unescaped(written)


def _ways(words: int, slop: int) -> int:
    """Return in how many ways the words of a phrase may stand, as far as that matters."""
    return count_of(words, min(slop, CLAUSES_MAX)) if slop else 1


def _numbers(node: Any, field: str) -> Query:
    match node:
        case tree.Word(value="*"):
            return Everything()
        case tree.Word(value=value):
            number = _number(_unescaped(value), field)
        case tree.Phrase(value=value):
            number = _number(_unescaped(value[1:-1]), field)
        case tree.Range():
            low, high = _bound(node.low), _bound(node.high)
            return Numbers(
                field,
                None if low is None else _number(low, field),
                None if high is None else _number(high, field),
            )
        case _:
            raise FilterError(f"{field}: a whole number or a range of them must follow")
    return Numbers(field, number, number)


def _number(text: str, field: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise FilterError(f"{field}: a whole number must follow")
    return max(-_INTEGER_MAX, min(int(text), _INTEGER_MAX))


def _bound(node: Any) -> str | None:
    if isinstance(node, tree.Phrase):
        return _unescaped(node.value[1:-1]).lower()
    return None if node.value == "*" else _unescaped(node.value).lower()


def _is_wildcard(value: str) -> bool:
    return any(found[3] for found in _PIECE.finditer(value))


def _wildcard_regex(value: str) -> str:
    """Return the regular expression of a word with wildcards."""
    return "".join(
        {"*": ".*", "?": "."}[found[3]]
        if found[3]
        else _META.sub(r"\\\g<0>", _plain(found).lower())
        for found in _PIECE.finditer(value)
    )


def _unescaped(value: str) -> str:
    return "".join(map(_plain, _PIECE.finditer(value)))


def _plain(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[2] or found[3] or found[4]
    character = chr(int(found[1], 16))
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character
