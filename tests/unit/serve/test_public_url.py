"""Where the world reaches the platform."""

import pytest

from airy_ray.config import Http, Settings
from airy_ray.serve.api.public_url import public_url


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"host": "a.example:8000"}, "http://a.example:8000"),
        ({"host": "[::1]:8000"}, "http://[::1]:8000"),
        ({"host": "a", "x-forwarded-proto": "https"}, "https://a"),
        ({"host": "a", "x-forwarded-proto": "HTTPS"}, "https://a"),
        ({"host": "a", "x-forwarded-host": "b", "x-forwarded-proto": "https,http"}, "https://b"),
        ({"host": "a", "x-forwarded-host": "b, c"}, "http://b"),
        ({"host": "a", "x-forwarded-proto": "javascript"}, "http://a"),
        ({"host": 'a"><script>'}, "http://127.0.0.1:8000"),
        ({"host": "a/b?c"}, "http://127.0.0.1:8000"),
        ({}, "http://127.0.0.1:8000"),
    ],
)
def test_it_is_where_the_caller_reached_it(headers: dict[str, str], url: str) -> None:
    assert public_url(Settings(), headers) == url


def test_what_is_configured_comes_first() -> None:
    settings = Settings(http=Http(public_url="https://chat.example.org/"))

    assert public_url(settings, {"host": "a"}) == "https://chat.example.org"
