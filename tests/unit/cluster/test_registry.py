"""The registry's copies in a serving process: right after each change, cheap between them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airy_ray.cluster.registry import Registry
from airy_ray.model import message
from airy_ray.model.api_token import digest_of, token_id
from airy_ray.model.commands import AnyCommand, CreateToken, RevokeToken, SeeUser
from airy_ray.model.ids import format_id
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from tests import builders
from tests.log_builders import append, owned, settle, spec

DIGEST = digest_of("airy_one")
TOKEN = format_id(token_id(DIGEST))


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    with owned(spec(tmp_path)) as opened:
        settle(opened)
        yield opened


@pytest.fixture
def registry(partition: Partition) -> Iterator[Registry]:
    with closing(PartitionReader(partition.tail)) as reader:
        yield Registry(reader)


def fold(partition: Partition, *told: AnyCommand) -> None:
    append(partition.spec.directory, [builders.command_record(command) for command in told])
    settle(partition)


def see(user: str, **fields: Any) -> SeeUser:
    return SeeUser(id=format_id(builders.command_id(user)), user_id=user, **fields)


def create(digest: bytes = DIGEST) -> CreateToken:
    return CreateToken(
        id=format_id(builders.command_id("create")),
        token_id=TOKEN,
        digest=digest.hex(),
        name="crm",
        scope="read",
    )


def test_a_token_is_known_as_soon_as_it_is_made_and_revoked(
    partition: Partition, registry: Registry
) -> None:
    assert registry.token(DIGEST) is None

    fold(partition, create())
    made = registry.token(DIGEST)
    assert made is not None
    assert not made.is_revoked

    fold(partition, RevokeToken(id=format_id(builders.command_id("r")), token_id=TOKEN))
    revoked = registry.token(DIGEST)
    assert revoked is not None
    assert revoked.is_revoked


def test_a_token_is_not_known_by_the_half_of_its_digest(
    partition: Partition, registry: Registry
) -> None:
    fold(partition, create(DIGEST[:16] + bytes(16)))

    assert registry.token(DIGEST) is None


def test_users_of_the_directory_are_named_and_nobody_else(
    partition: Partition, registry: Registry
) -> None:
    assert registry.sender("github:1") is None
    fold(
        partition,
        see("github:1", name="Ada", avatar_url="https://a.test/1"),
        see("google:bob@a.test"),
    )

    assert registry.sender("github:1") == message.sender("github:1", "Ada", "https://a.test/1")
    assert registry.sender("google:bob@a.test") == message.sender("google:bob@a.test")
    assert registry.sender("github:2") is None
    assert registry.sender("491511234") is None
    assert registry.sender("whatsapp:+491511234") is None
