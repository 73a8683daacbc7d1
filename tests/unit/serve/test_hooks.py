"""Which paths lead to which platform's webhook."""

import pytest

from airy_ray.serve.webhooks import hook_of


@pytest.mark.parametrize(
    ("path", "hook"),
    [
        ("/facebook", "facebook"),
        ("twilio/", "twilio"),
        ("/telegram/42", "telegram"),
        ("/telegram/42/", "telegram"),
        ("/telegram/4/2", "telegram"),
        ("/telegram", None),
        ("/facebook/42", None),
        ("/elsewhere", None),
        ("", None),
    ],
)
def test_a_platform_has_one_path_and_each_bot_of_telegram_its_own(
    path: str, hook: str | None
) -> None:
    assert hook_of(path) == hook
