"""`tokens.*`: API tokens for programs, each for a part of what can be done, and where."""

import os
from base64 import urlsafe_b64encode

import msgspec
from pydantic import Field

from airy_ray.errors import RequestError
from airy_ray.model import api_token, json_text
from airy_ray.model.api_token import PREFIX, Scope
from airy_ray.model.commands import CreateToken, RevokeToken
from airy_ray.model.ids import format_id
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, Nothing
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.state.queries import Reading

_LIFETIME_S_MAX = 100 * 366 * 86_400


class NewToken(Body):
    """What a token is for."""

    model_config = example(
        name="reports",
        scope="read",
        sources=["chatplugin"],
        expires_in_s=86_400,
        requests_per_minute=60,
    )
    name: str = Field(min_length=1, max_length=100, description="Who acts: `token:<name>`.")
    scope: Scope = Field(description="Each includes those before it: read, write, manage.")
    sources: list[str] = Field([], max_length=100, description="With `channel_ids`, its reach.")
    channel_ids: list[Id] = Field([], max_length=1_000)
    expires_in_s: int | None = Field(None, ge=1, le=_LIFETIME_S_MAX)
    requests_per_minute: int | None = Field(None, ge=1)


class OneToken(Body):
    """Which token."""

    model_config = example(id=examples.TOKEN_ID)
    id: Id


async def create(platform: Platform, caller: Caller, asked: NewToken) -> Response:
    """Make a token. Its secret is in the answer, and nowhere else.

    With sources or channels it reaches only the conversations on any of these.
    """
    secret = _secret(platform, caller)
    digest = api_token.digest_of(secret)
    command = CreateToken(
        **caller.signed(),
        token_id=format_id(api_token.token_id(digest)),
        digest=digest.hex(),
        name=asked.name,
        scope=asked.scope,
        sources=tuple(asked.sources),
        channel_ids=tuple(format_id(each) for each in asked.channel_ids),
        lifetime_s=asked.expires_in_s,
        requests_per_minute=asked.requests_per_minute,
    )
    made = await platform.register(command)
    if made.status != 201:
        return made
    told = msgspec.json.decode(made.body)
    if told["id"] != command.token_id:  # it was made with another key of the installation
        raise RequestError(409, "the secret of this token cannot be told again")
    return Response(201, json_text.encode(told | {"token": secret}))


async def list_tokens(platform: Platform, _: Caller, __: Nothing) -> Response:
    """Return all tokens, by id, without their secrets; those that have expired too."""
    stored = await platform.partitions.ask_registry(Reading.api_tokens)
    return items([api_token.rendered(each) for each in stored if not each.is_revoked])


async def revoke(platform: Platform, caller: Caller, asked: OneToken) -> Response:
    """Make a token good for nothing, at once and everywhere."""
    return await platform.register(RevokeToken(**caller.signed(), token_id=format_id(asked.id)))


def _secret(platform: Platform, caller: Caller) -> str:
    """Return a new secret; for the same idempotency key the same, which is stored nowhere."""
    seed = os.urandom(32) if caller.key is None else caller.seed()
    return PREFIX + urlsafe_b64encode(platform.tokens.secret(seed)).decode().rstrip("=")


ENDPOINTS = [
    Endpoint("/tokens.create", create, NewToken, "Make an API token", shapes.NewApiToken, 201),
    Endpoint(
        "/tokens.list",
        list_tokens,
        Nothing,
        "List API tokens",
        shapes.Items[shapes.ApiToken],
        may_be_empty=True,
    ),
    Endpoint(
        "/tokens.revoke",
        revoke,
        OneToken,
        "Revoke an API token",
        status=204,
        failures=(404,),
    ),
]
