"""What each endpoint needs: of scopes, and of reach."""

import pytest

from airy_ray.errors import RequestError
from airy_ray.model.api_token import SCOPES, Scope
from airy_ray.serve.api import reach, scopes
from airy_ray.serve.api.app import ENDPOINTS
from airy_ray.serve.api.callers import ANYBODY, Grant, Reach
from airy_ray.serve.api.scopes import AREAS, scope_of
from tests import builders

GUARDED = [path for path, endpoint in ENDPOINTS.items() if not endpoint.is_open]


@pytest.mark.parametrize("path", GUARDED)
def test_every_endpoint_is_of_an_area_whose_scopes_are_decided(path: str) -> None:
    assert path.strip("/").partition(".")[0] in AREAS


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/conversations.list", "read"),
        ("/conversations.mark-read", "write"),
        ("/conversations.set-state", "write"),
        ("/messages.list", "read"),
        ("/messages.send", "write"),
        ("/metadata.upsert", "write"),
        ("/tags.list", "read"),
        ("/tags.create", "write"),
        ("/templates.info", "read"),
        ("/contacts.recent-messages", "read"),
        ("/contacts.merge", "write"),
        ("/contacts.erase", "manage"),
        ("/contacts.erasure-status", "manage"),
        ("/contacts.export", "manage"),
        ("/channels.list", "read"),
        ("/channels.update", "manage"),
        ("/channels.chatplugin.connect", "manage"),
        ("/channels.facebook.explore", "manage"),
        ("/client.config", "read"),
        ("/users.list", "read"),
        ("/tokens.list", "manage"),
        ("/audit.list", "manage"),
        ("/ledger.list", "manage"),
        ("/ledger.info", "manage"),
        ("/quarantine.retry", "manage"),
        ("/webhooks.list", "manage"),
        ("/sources.channels.list", "manage"),
        ("/components.list", "manage"),
        ("/what.nobody.decided.list", "manage"),
    ],
)
def test_an_endpoint_needs_what_it_does(path: str, needed: str) -> None:
    assert scope_of(path) == needed


def may(grant: Grant, path: str) -> bool:
    try:
        scopes.check(grant, ENDPOINTS[path])
    except RequestError as refused:
        return (refused.status, refused.reason) != (403, "")
    return True


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_may_do_what_its_scope_includes(scope: Scope, path: str) -> None:
    is_included = SCOPES.index(scope) >= SCOPES.index(scope_of(path))

    assert may(Grant("token:crm", "token", scope=scope), path) is is_included


@pytest.mark.parametrize("path", GUARDED)
def test_without_authentication_everybody_may_do_everything(path: str) -> None:
    assert may(ANYBODY, path)


@pytest.mark.parametrize(
    "path",
    [
        *("/tokens.create", "/tokens.list", "/audit.list"),
        *("/ledger.list", "/ledger.info", "/ledger.resend"),
        *("/quarantine.list", "/quarantine.info", "/quarantine.retry", "/quarantine.drop"),
    ],
)
def test_the_token_of_a_source_makes_no_tokens_and_reads_no_logs(path: str) -> None:
    source = Grant("source_app:crm", "program", source="crm")

    assert not may(source, path)
    assert may(source, "/messages.send")


def test_what_limited_tokens_may_call_are_endpoints_that_there_are() -> None:
    assert set(ENDPOINTS) >= reach.FILTERED | reach.SHARED | reach.BY_SUBJECT


@pytest.mark.parametrize("path", sorted(reach.BY_SUBJECT))
def test_what_is_limited_by_its_subject_names_one(path: str) -> None:
    fields = set(ENDPOINTS[path].takes.model_fields)

    assert fields & {"conversation_id", "message_id", "channel_id", "subject"}


def test_a_reach_covers_channels_of_its_sources_and_those_it_names() -> None:
    shop = builders.channel("shop", source="chatplugin")
    page = builders.channel("page", source="facebook")
    other = builders.channel("other", source="google")
    limited = Reach(frozenset({"chatplugin"}), frozenset({page.id}))

    assert [limited.covers(each) for each in (shop, page, other, None)] == [
        True,
        True,
        False,
        False,
    ]
