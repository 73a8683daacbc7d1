"""How commands call the running system."""

import pytest

from airy_ray.cli.client import address, http_client
from airy_ray.config import Http, Settings


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:8000", id="this machine"),
        pytest.param("localhost", "http://localhost:8000", id="by name"),
        pytest.param("0.0.0.0", "http://127.0.0.1:8000", id="every address"),
        pytest.param("::", "http://127.0.0.1:8000", id="every address, IPv6 too"),
        pytest.param("192.0.2.1", "http://192.0.2.1:8000", id="no other address"),
    ],
)
def test_the_system_is_called_at_an_address_that_it_listens_on(host: str, url: str) -> None:
    assert address(Settings(http=Http(host=host))) == url


def test_a_url_that_is_given_is_called_instead() -> None:
    assert address(Settings(), "http://airy.example.org") == "http://airy.example.org"


@pytest.mark.parametrize(
    ("token", "authorization"),
    [
        pytest.param("secret", "Bearer secret", id="set"),
        pytest.param(None, None, id="not set"),
    ],
)
def test_a_client_shows_the_system_token(token: str | None, authorization: str | None) -> None:
    settings = Settings.model_validate({"security": {"system_token": token}})

    with http_client(settings, timeout_s=1) as client:
        assert client.headers.get("authorization") == authorization
