"""Our errors as HTTP answers: one table (contract: platform API §1.1 and §1.2)."""

import logging

from airy_ray.errors import (
    AiryError,
    ChannelNotFoundError,
    DeliveryError,
    FilterError,
    NotFoundError,
    PartitionError,
    PayloadError,
    RawLogError,
    RequestError,
    SignatureError,
    StateError,
    StorageError,
)
from airy_ray.model import json_text
from airy_ray.serve.http import Response

logger = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[AiryError], int], ...] = (
    (SignatureError, 403),
    (PayloadError, 400),
    (FilterError, 400),
    (DeliveryError, 500),
    (ChannelNotFoundError, 404),
    (NotFoundError, 404),
    (StateError, 503),
    (StorageError, 503),
    (RawLogError, 503),
    (PartitionError, 503),
)


def answer(error: AiryError) -> Response:
    """Return the answer to a request that ended with one of our errors."""
    if isinstance(error, RequestError):
        return problem(error.status, error.reason)
    for family, status in _STATUS:
        if isinstance(error, family):
            if status >= 500:
                logger.warning("answering %d: %s", status, error)
            return problem(status, _TEXTS.get(status, str(error)))
    return problem(500, "internal error")


_TEXTS = {
    403: "",
    404: "",
    503: "not available now, try again",
}
"""What callers are told, where it is not the error's own text; empty: no body, as the contract."""


def problem(status: int, reason: str) -> Response:
    """Return an answer with a text for people, or without a body if there is none."""
    if not reason:
        return Response(status)
    return Response(status, json_text.encode({"message": reason}))
