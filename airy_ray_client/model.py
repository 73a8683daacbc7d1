"""What all models of answers have in common."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A part of an answer. Fields that a newer platform adds are left out."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


def nothing(_: bytes) -> None:
    """Read an answer that has no body."""


def as_it_is(body: bytes) -> bytes:
    """Read an answer that is a file."""
    return body
