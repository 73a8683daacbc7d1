"""Tokens made and revoked, users seen: by the registry. Keys claimed: by whose slot they are."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import api_token, json_text
from airy_ray.model.api_token import ApiToken
from airy_ray.model.commands import ClaimKey, CreateToken, RevokeToken, SeeUser
from airy_ray.model.ids import ChannelId, CommandId, parse_id
from airy_ray.model.user import User
from airy_ray.projections import keys
from airy_ray.projections.commands.outcome import APPLIED, DONE, NOT_FOUND, Handler, Outcome
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import View

_NAME_IN_USE = Outcome(
    Effect("name in use"), 409, json_text.encode({"message": "a token of this name is in use"})
)
_MADE_BEFORE = Outcome(
    Effect("made before"),
    409,
    json_text.encode({"message": "the token of this idempotency key was made before"}),
)


def create_token(view: View, command: CreateToken, __: CommandId, at: Millis) -> Outcome:
    """Keep a token under a name that no other has; one that has expired makes way."""
    identifier = parse_id(command.token_id)
    if view.api_tokens.get(identifier) is not None:
        return _MADE_BEFORE
    for _, present in view.api_tokens.under(b""):
        if present.name == command.name and not present.is_revoked:
            if api_token.is_good(present, at):
                return _NAME_IN_USE
            _revoke(view, present)
    lifetime_s = command.lifetime_s
    created = ApiToken(
        id=identifier,
        digest=bytes.fromhex(command.digest),
        name=command.name,
        scope=command.scope,
        sources=command.sources,
        channel_ids=tuple(ChannelId(parse_id(each)) for each in command.channel_ids),
        created_at=at,
        created_by=command.principal,
        expires_at=None if lifetime_s is None else Millis(at + lifetime_s * 1_000),
        requests_per_minute=command.requests_per_minute,
    )
    view.api_tokens.put(created.id, created)
    return Outcome(APPLIED, 201, api_token.rendered(created))


def revoke_token(view: View, command: RevokeToken, _: CommandId, __: Millis) -> Outcome:
    """Make a token good for nothing; its row stays, so that no repeated request revives it."""
    present = view.api_tokens.get(parse_id(command.token_id))
    if present is None or present.is_revoked:
        return NOT_FOUND
    _revoke(view, present)
    return DONE


def _revoke(view: View, token: ApiToken) -> None:
    view.api_tokens.put(token.id, msgspec.structs.replace(token, is_revoked=True))


def see_user(view: View, command: SeeUser, _: CommandId, at: Millis) -> Outcome:
    """Note that a user was here; a name and picture that are known stay (contract: §7.7)."""
    key = keys.bounded(command.user_id)
    present = view.users.get(key)
    if present is None:
        seen = User(command.user_id, command.name, command.avatar_url, at, at)
    else:
        seen = msgspec.structs.replace(
            present,
            name=present.name or command.name,
            avatar_url=present.avatar_url or command.avatar_url,
            last_seen_at=max(present.last_seen_at, at),
        )
    view.users.put(key, seen)
    return DONE


def claim_key(_: View, __: ClaimKey, ___: CommandId, ____: Millis) -> Outcome:
    """Say yes: whose key it is already gets the first claim's answer, by which he sees so."""
    return DONE


HANDLERS: dict[type, Handler] = {
    CreateToken: create_token,
    RevokeToken: revoke_token,
    SeeUser: see_user,
    ClaimKey: claim_key,
}
