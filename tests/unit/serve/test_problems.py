"""Our errors as HTTP answers."""

import pytest

from airy_ray.errors import (
    AiryError,
    ChannelNotFoundError,
    ConversationNotFoundError,
    DamagedError,
    DeliveryError,
    DiskFullError,
    LogBusyError,
    PartitionUnavailableError,
    PayloadError,
    RebuildingError,
    RequestError,
    RowCorruptError,
    SignatureError,
)
from airy_ray.serve.problems import answer

_LATER = b'{"message":"not available now, try again"}'


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        pytest.param(RequestError(400, "why"), 400, b'{"message":"why"}', id="what was asked"),
        pytest.param(RequestError(409, 'a "b"'), 409, b'{"message":"a \\"b\\""}', id="quoted"),
        pytest.param(RequestError(403), 403, b"", id="nobody"),
        pytest.param(SignatureError("google"), 403, b"", id="signature"),
        pytest.param(PayloadError("not JSON"), 400, b'{"message":"not JSON"}', id="payload"),
        pytest.param(DeliveryError("no"), 500, b'{"message":"no"}', id="platform's own text"),
        pytest.param(ChannelNotFoundError(), 404, b"", id="no channel"),
        pytest.param(ConversationNotFoundError("x"), 404, b"", id="no conversation"),
        pytest.param(DiskFullError("/data"), 503, _LATER, id="disk full"),
        pytest.param(DamagedError("/data", "why"), 503, _LATER, id="damaged"),
        pytest.param(LogBusyError("busy"), 503, _LATER, id="busy"),
        pytest.param(RowCorruptError("messages", b"k"), 503, _LATER, id="row"),
        pytest.param(RebuildingError(1, 2), 503, _LATER, id="rebuilding"),
        pytest.param(PartitionUnavailableError("p"), 503, _LATER, id="no owner"),
        pytest.param(AiryError("?"), 500, b'{"message":"internal error"}', id="any other"),
    ],
)
def test_an_error_is_answered_as_the_contract_says(
    error: AiryError, status: int, body: bytes
) -> None:
    response = answer(error)

    assert (response.status, response.body) == (status, body)
