"""Which pages may call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.serve.api.origins import Origins, origin_of
from airy_ray.serve.api.wildcards import Patterns

SHOP = "https://shop.example.org"


def origins(allowed: str = "https://*.example.org", public_url: str | None = None) -> Origins:
    return Origins(allowed, public_url)


@pytest.mark.parametrize(
    ("allowed", "origin", "is_allowed"),
    [
        ("*", SHOP, True),
        ("*", "null", True),
        ("https://*.example.org", SHOP, True),
        ("https://a.test, https://*.example.org", SHOP, True),
        ("https://*.example.org", "https://example.org", False),
        ("https://*.example.org", "http://shop.example.org", False),
        ("https://*.example.org", "https://shop.example.org.evil.test", False),
        ("https://shop.example.org", "https://shopxexample.org", False),
        ("http://[::1]:8000", "http://[::1]:8000", True),
        ("", SHOP, False),
        (" , ", SHOP, False),
    ],
)
def test_a_page_reads_answers_if_a_pattern_stands_for_its_origin(
    allowed: str, origin: str, is_allowed: bool
) -> None:
    headers = dict(origins(allowed).shared_headers(origin))

    assert bool(headers) is is_allowed
    assert headers.get(b"access-control-allow-origin") == (origin.encode() if is_allowed else None)
    assert origins(allowed).may_call({"origin": origin}) is is_allowed


def test_who_is_no_page_may_call() -> None:
    assert origins("").may_call({})
    assert origins("").shared_headers(None) == []


@pytest.mark.parametrize(
    ("host", "public_url", "origin", "is_own"),
    [
        ("chat.test:8000", None, "http://chat.test:8000", True),
        ("chat.test", None, "https://CHAT.test", True),
        ("chat.test", None, "https://evil.test", False),
        ("inner", "https://chat.test/path", "https://chat.test", True),
        ("inner", "https://chat.test", "http://chat.test", False),
        ("", None, "https://", False),
    ],
)
def test_a_page_of_the_platforms_own_origin_may_do_all(
    host: str, public_url: str | None, origin: str, is_own: bool
) -> None:
    headers = {"host": host, "origin": origin, "x-forwarded-host": "evil.test"}

    assert origins("", public_url).may_call(headers) is is_own
    assert origins("*", public_url).may_use_session(headers) is is_own


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        pytest.param({}, True, id="no browser"),
        pytest.param({"sec-fetch-site": "same-origin"}, True, id="own page"),
        pytest.param({"sec-fetch-site": "none"}, True, id="typed in"),
        pytest.param({"sec-fetch-site": "same-site"}, False, id="neighbour"),
        pytest.param({"sec-fetch-site": "cross-site"}, False, id="anybody"),
        pytest.param({"origin": SHOP}, True, id="named"),
        pytest.param({"origin": "https://evil.test"}, False, id="not named"),
        pytest.param({"origin": "null"}, False, id="hidden"),
    ],
)
def test_a_cookie_counts_only_from_who_may_speak_for_its_owner(
    headers: dict[str, str], may: bool
) -> None:
    assert origins("*, https://*.example.org").may_use_session(headers) is may


def test_an_origin_is_the_beginning_of_a_url() -> None:
    assert origin_of("HTTPS://Chat.Example.org:8443/a?b#c") == "https://chat.example.org:8443"


@given(st.text(alphabet="ab.*[]?+", max_size=8), st.text(alphabet="ab.[]?+", max_size=8))
def test_only_the_asterisk_is_special_in_a_pattern(pattern: str, text: str) -> None:
    is_match = bool(pattern) and _matches(pattern, text)

    assert Patterns(pattern).match(text) is is_match


def _matches(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return _matches(pattern[1:], text) or (bool(text) and _matches(pattern, text[1:]))
    return bool(text) and text[0] == pattern[0] and _matches(pattern[1:], text[1:])
