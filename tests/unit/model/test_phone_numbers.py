"""A number is the same whichever way a source writes it; what is none is never taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.model.phone_numbers import name_of, number_of

SOURCES = ("whatsapp", "twilio.sms", "twilio.whatsapp")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("whatsapp", "4915112345678"),
        ("twilio.sms", "+4915112345678"),
        ("twilio.whatsapp", "whatsapp:+4915112345678"),
    ],
)
def test_every_source_writes_it_in_its_own_way(source: str, name: str) -> None:
    assert number_of(source, name) == "4915112345678"
    assert name_of(source, "4915112345678") == name


@given(st.sampled_from(SOURCES), st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True))
def test_who_has_a_number_is_called_by_it(source: str, digits: str) -> None:
    name = name_of(source, digits)
    assert name is not None
    assert number_of(source, name) == digits


@pytest.mark.parametrize(
    ("source", "name"),
    [
        pytest.param("whatsapp", "US.13491208655302741918", id="hidden number"),
        pytest.param("whatsapp", "+4915112345678", id="written otherwise"),
        pytest.param("twilio.sms", "MYBANK", id="sender's name"),
        pytest.param("twilio.sms", "+12345", id="short code"),
        pytest.param("twilio.sms", "12345678", id="no plus"),
        pytest.param("twilio.sms", "+0123456789", id="no country"),
        pytest.param("twilio.sms", "+1234567890123456", id="too long"),
        pytest.param("twilio.sms", "+4915112345678\n", id="line feed"),
        pytest.param("twilio.sms", "+٤٩١٥١١٢٣٤٥", id="other digits"),
        pytest.param("facebook", "4915112345678", id="other source"),
        pytest.param("telegram", "4915112345678", id="id, not a number"),
    ],
)
def test_what_is_no_number_is_none(source: str, name: str) -> None:
    assert number_of(source, name) is None


def test_others_know_nobody_by_numbers() -> None:
    assert name_of("viber", "4915112345678") is None
