"""Tokens, users and claims, as the registry and the partitions fold them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model import api_token
from airy_ray.model.api_token import SCOPES, digest_of, includes, is_good, token_id
from airy_ray.model.commands import AnyCommand, ClaimKey, CreateToken, RevokeToken, SeeUser
from airy_ray.model.ids import format_id, parse_id
from airy_ray.model.user import User
from airy_ray.projections import keys
from airy_ray.projections.commands import carry_out
from airy_ray.projections.view import Answer
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryPartition, MemoryView

DAY_S = 86_400


def carried_out(view: MemoryView, command: AnyCommand, *, at: int = NOW) -> Answer:
    carry_out(view, command, b"as it is", Millis(at))
    answer = view.requests.get(parse_id(command.id))
    assert answer is not None
    return answer


def command_id(seed: str) -> str:
    return format_id(builders.command_id(seed))


def create(secret: str = "airy_one", **fields: Any) -> CreateToken:
    digest = digest_of(secret)
    told = {"id": command_id(f"create {secret}"), "name": "crm", "scope": "write"} | fields
    return CreateToken(token_id=format_id(token_id(digest)), digest=digest.hex(), **told)


def revoke(secret: str = "airy_one") -> RevokeToken:
    identifier = format_id(token_id(digest_of(secret)))
    return RevokeToken(id=command_id(f"revoke {secret}"), token_id=identifier)


def test_a_token_is_kept_as_its_digest() -> None:
    view = MemoryView()
    answer = carried_out(view, create(principal="github:1", lifetime_s=DAY_S))
    [(_, stored)] = view.api_tokens.under(b"")

    assert answer.status == 201
    assert (stored.created_by, stored.created_at) == ("github:1", NOW)
    assert stored.expires_at == NOW + DAY_S * 1_000
    assert "airy_one" not in str(stored) + answer.body.decode()
    assert digest_of("airy_one").hex() not in answer.body.decode()


def test_a_revoked_token_is_good_no_more_and_cannot_come_back() -> None:
    view = MemoryView()
    carried_out(view, create())
    first = carried_out(view, revoke())
    later = msgspec.structs.replace(create(), id=command_id("much later"))
    [(_, stored)] = view.api_tokens.under(b"")

    assert (first.status, is_good(stored, Millis(NOW))) == (204, False)
    assert carried_out(view, later).status == 409
    assert carried_out(view, msgspec.structs.replace(revoke(), id=command_id("x"))).status == 404


def test_a_name_is_one_tokens_until_that_expires_or_is_revoked() -> None:
    view = MemoryView()
    carried_out(view, create("airy_one", lifetime_s=DAY_S))

    assert carried_out(view, create("airy_two")).status == 409
    after = NOW + DAY_S * 1_000
    assert carried_out(view, create("airy_three"), at=after).status == 201
    good = [token for _, token in view.api_tokens.under(b"") if is_good(token, Millis(after))]
    assert [token.id for token in good] == [token_id(digest_of("airy_three"))]


def test_revoking_what_is_not_there_is_not_found() -> None:
    assert carried_out(MemoryView(), revoke()).status == 404


@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("needed", SCOPES)
def test_a_scope_includes_those_before_it(held: Any, needed: Any) -> None:
    assert includes(held, needed) is (SCOPES.index(held) >= SCOPES.index(needed))


def see(user: str = "github:1", *, seed: str = "", **fields: Any) -> SeeUser:
    return SeeUser(id=command_id(f"see {user}{seed}"), principal=user, user_id=user, **fields)


def test_a_user_is_known_from_their_first_request_on() -> None:
    view = MemoryView()
    carried_out(view, see(name="Ada"))
    carried_out(view, see(seed="again", name="Ada L.", avatar_url="https://a.test/1"), at=NOW + 9)
    [(_, stored)] = view.users.under(b"")

    assert stored == User("github:1", "Ada", "https://a.test/1", Millis(NOW), Millis(NOW + 9))


@given(st.text(max_size=300).filter(lambda text: text.isprintable()))
def test_a_user_is_found_whatever_their_id(user: str) -> None:
    view = MemoryView()
    carried_out(view, see(user))

    assert view.users.get(keys.bounded(user)) == User(user, None, None, Millis(NOW), Millis(NOW))


def claim(request: bytes) -> ClaimKey:
    return ClaimKey(id=command_id("a key"), request=request.hex())


def test_a_claim_is_answered_with_the_request_that_came_first() -> None:
    view = MemoryView()

    assert carried_out(view, claim(b"one")) == Answer(b"one", 204, b"", Millis(NOW))
    assert carried_out(view, claim(b"other")).digest == b"one"


def test_a_command_with_a_key_is_the_same_whatever_was_found_out_on_the_way() -> None:
    view = MemoryView()
    one = msgspec.structs.replace(create(), request=b"asked".hex(), requests_per_minute=1)
    other = msgspec.structs.replace(one, requests_per_minute=2)

    assert carried_out(view, one).digest == b"asked"
    assert carried_out(view, other) == carried_out(view, one)


def test_a_command_whose_request_is_no_digest_is_put_aside() -> None:
    partition = MemoryPartition()
    broken = ClaimKey(id=command_id("broken"), request="not hexadecimal")

    assert partition.append(builders.command_record(broken)).verdict == "quarantined"


def test_what_is_shown_of_a_token_is_what_was_asked_for() -> None:
    view = MemoryView()
    channel = format_id(builders.channel().id)
    answer = carried_out(view, create(sources=("facebook",), channel_ids=(channel,)))
    [(_, stored)] = view.api_tokens.under(b"")

    assert json.loads(answer.body) == json.loads(api_token.rendered(stored))
    assert json.loads(answer.body) == {
        "id": format_id(stored.id),
        "name": "crm",
        "scope": "write",
        "sources": ["facebook"],
        "channel_ids": [channel],
        "requests_per_minute": None,
        "created_at": "2025-11-21T08:00:00.000Z",
        "created_by": "airy-core-anonymous",
        "expires_at": None,
    }
