"""People who log in at a provider, and what they may do then (contract: §2.4, §2.5, §7.7)."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.identity_provider import IdentityProvider, Person, identity_provider
from tests.e2e.program import Running, home, started, until

TOKEN = "the-system-token"
INBOX = "https://inbox.example.org"
SESSION = "airy_auth_token"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as server:
        yield server


@pytest.fixture(scope="module")
def login(provider: IdentityProvider) -> Iterator[Running]:
    """Return a platform where people log in, and programs have the system token."""
    settings = {
        "security": {
            "system_token": TOKEN,
            "oidc": provider.settings,
            "allowed_origins": f"*,{INBOX}",
            "jwt_secret": platforms.JWT_SECRET,
        },
        "limits": {"requests_per_minute": 10_000},
        "partitions": 1,
    }
    with home(settings) as place, started(place) as running:
        yield running


@pytest.fixture(autouse=True)
def ada(provider: IdentityProvider) -> None:
    provider.person = Person()


def browser(at: Running) -> httpx.Client:
    return httpx.Client(base_url=at.url, timeout=30)


def answered(by: httpx.Client, **headers: str) -> httpx.Response:
    """Go through the whole login; return how it ends."""
    to_provider = by.get("/oauth2/authorization/example", headers=headers)
    assert to_provider.status_code == 302
    back = httpx.get(to_provider.headers["location"], follow_redirects=False)
    return by.get(back.headers["location"].replace("https://", "http://"), headers=headers)


@pytest.fixture
def user(login: Running) -> Iterator[Client]:
    """Return Ada, logged in, on a page of the platform."""
    with Client(login.url, {"origin": login.url}) as client:
        assert answered(client.http).status_code == 302
        yield client


def test_an_api_call_without_a_session_is_refused_and_never_redirected(login: Running) -> None:
    with browser(login) as by:
        response = by.post("/conversations.list")

    assert (response.status_code, response.content) == (403, b"")


def test_a_login_leads_to_the_provider_and_back_to_the_inbox(login: Running) -> None:
    with browser(login) as by:
        first = by.get("/login")
        asked = by.get(first.headers["location"])
        query = parse_qs(urlsplit(asked.headers["location"]).query)
        ended = answered(by)
        config = by.post("/client.config", headers={"origin": login.url}).json()

    assert first.headers["location"] == "/oauth2/authorization/example"
    assert query["redirect_uri"] == [f"{login.url}/login/oauth2/code/example"]
    assert query["scope"] == ["openid profile email"]
    assert len(query["state"][0]) > 20
    assert (ended.status_code, ended.headers["location"]) == (302, "/inbox/")
    assert config["user_profile"] == {
        "id": "example:ada@example.org",
        "name": "Ada",
        "avatar_url": "https://a.test/ada.png",
    }


@pytest.mark.parametrize(("scheme", "is_secure"), [("https", True), ("http", False)])
def test_the_session_is_a_cookie_that_scripts_cannot_read(
    scheme: str, is_secure: bool, login: Running
) -> None:
    with browser(login) as by:
        begun = by.get("/login/").headers
        asked = by.get("/oauth2/authorization/example", headers={"x-forwarded-proto": scheme})
        by.cookies.set("airy_login", _cookies(asked)["airy_login"].partition("=")[2].split(";")[0])
        back = httpx.get(asked.headers["location"]).headers["location"]
        path = urlsplit(back)
        ended = by.get(f"{path.path}?{path.query}", headers={"x-forwarded-proto": scheme})
        cookie = _cookies(ended)[SESSION]

    assert begun["location"].startswith("/oauth2/")
    assert path.scheme == scheme
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert ("Secure" in cookie.split("; ")) is is_secure
    assert "Max-Age" not in cookie


def _cookies(response: httpx.Response) -> dict[str, str]:
    return {cookie.partition("=")[0]: cookie for cookie in response.headers.get_list("set-cookie")}


@pytest.mark.parametrize(
    ("person", "told"),
    [
        pytest.param(Person(email="eve@evil.test"), "Email not allowed", id="not on the list"),
        pytest.param(
            Person(email="ada@example.org.evil.test"), "Email not allowed", id="longer than it"
        ),
        pytest.param(
            Person(claims={"email_verified": False}), "Email not allowed", id="unchecked address"
        ),
        pytest.param(Person(claims={"email": None}), "Email not allowed", id="no address"),
        pytest.param(
            Person(key=rsa.generate_private_key(public_exponent=65_537, key_size=2_048)),
            "the ID token is not valid",
            id="forged",
        ),
        pytest.param(Person(claims={"aud": "other"}), "the ID token is not valid", id="audience"),
        pytest.param(Person(claims={"iss": "other"}), "the ID token is not valid", id="issuer"),
        pytest.param(Person(claims={"exp": 1}), "the ID token is not valid", id="expired"),
        pytest.param(Person(claims={"nonce": "x"}), "the ID token is of another login", id="nonce"),
        pytest.param(
            Person(claims={"aud": ["airy", "b"], "azp": "b"}),
            "the ID token is of another login",
            id="for another",
        ),
        pytest.param(
            Person(profile={"sub": "eve"}), "the profile is of somebody else", id="profile"
        ),
    ],
)
def test_who_is_not_rightly_vouched_for_does_not_get_in(
    person: Person, told: str, login: Running, provider: IdentityProvider
) -> None:
    provider.person = person
    with browser(login) as by:
        ended = answered(by)

    assert (ended.status_code, ended.json()) == (403, {"message": told})
    assert SESSION not in _cookies(ended)


def test_an_address_named_on_the_list_gets_in_whatever_its_case(
    login: Running, provider: IdentityProvider
) -> None:
    provider.person = Person(email="Grace@Navy.test")
    with browser(login) as by:
        assert answered(by).status_code == 302


def test_only_the_browser_that_began_a_login_can_end_it(login: Running) -> None:
    with browser(login) as by, browser(login) as other:
        asked = by.get("/oauth2/authorization/example")
        back = httpx.get(asked.headers["location"]).headers["location"]
        stranger = other.get(back)
        other.get("/oauth2/authorization/example")
        mixed_up = other.get(back)
        own = by.get(back)
        again = by.get(back)

    statuses = [each.status_code for each in (stranger, mixed_up, own, again)]
    assert statuses == [403, 403, 302, 403]


@pytest.mark.parametrize("query", ["", "?error=access_denied&state=x", "?code=x", "?state=%ff"])
def test_an_answer_that_is_none_is_refused(query: str, login: Running) -> None:
    with browser(login) as by:
        by.get("/oauth2/authorization/example")

        assert by.get(f"/login/oauth2/code/example{query}").status_code == 403


def test_logging_out_ends_the_session(user: Client) -> None:
    out = user.http.get("/logout")

    assert (out.status_code, out.headers["location"]) == (302, "/bye")
    assert SESSION not in user.http.cookies
    assert user.post("/client.config").status_code == 403


def test_a_session_that_is_none_is_taken_back(login: Running) -> None:
    with browser(login) as by:
        response = by.post("/client.config", headers={"cookie": f"{SESSION}=nonsense"})

    assert response.status_code == 403
    assert _cookies(response)[SESSION].startswith(f"{SESSION}=; Path=/; Max-Age=0")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"origin": INBOX}, 204, id="named"),
        pytest.param({"origin": "https://evil.test"}, 403, id="only by the asterisk"),
        pytest.param({"origin": "null"}, 403, id="hidden"),
        pytest.param({}, 204, id="no browser"),
        pytest.param({"sec-fetch-site": "cross-site"}, 403, id="from anywhere"),
    ],
)
def test_a_cookie_counts_only_from_pages_that_may_speak_for_its_owner(
    headers: dict[str, str], status: int, user: Client
) -> None:
    asked = {"conversation_id": "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001"}
    session = {"cookie": f"{SESSION}={user.http.cookies[SESSION]}"}
    response = httpx.post(
        f"{user.url}/conversations.mark-read", json=asked, headers=headers | session
    )

    assert response.status_code == status


def test_tokens_work_beside_the_login(login: Running) -> None:
    with Client(login.url, {"authorization": TOKEN}) as program:
        made = program.call("/tokens.create", {"name": "beside", "scope": "read"})
        own = program.post("/client.config", authorization=f"Bearer {made['token']}")
        wrong = program.post("/client.config", authorization="Bearer nonsense")

    assert (own.status_code, wrong.status_code) == (200, 403)
    assert own.json()["user_profile"] is None


def test_who_writes_is_in_the_directory_and_named_in_messages(user: Client) -> None:
    website = user.call("/channels.chatplugin.connect", {"name": "A website"})
    visit = user.call("/chatplugin.authenticate", {"channel_id": website["id"]})
    bearer = f"Bearer {visit['token']}"
    user.call("/chatplugin.send", {"message": {"text": "Hi"}}, authorization=bearer)
    [conversation] = user.conversations(website["id"])
    asked = {"conversation_id": conversation["id"], "message": {"text": "Hello"}}
    user.call("/messages.send", asked)
    known = until(lambda: user.call("/users.list")["data"])
    ada = {
        "id": "example:ada@example.org",
        "name": "Ada",
        "avatar_url": "https://a.test/ada.png",
    }
    newest, first = user.messages(conversation["id"])

    assert [{key: each[key] for key in ada} for each in known if each["id"] == ada["id"]] == [ada]
    assert all(each["first_seen_at"] <= each["last_seen_at"] for each in known)
    assert newest["sender"] == ada
    assert first["sender"] == {"id": conversation["id"], "name": None, "avatar_url": None}
    listed = user.conversations(website["id"])[0]
    info = user.call("/conversations.info", {"conversation_id": conversation["id"]})
    assert listed["last_message"]["sender"] == info["last_message"]["sender"] == ada


def test_users_come_in_pages_by_id(login: Running, provider: IdentityProvider) -> None:
    for name in ("b", "c", "a"):
        provider.person = Person(email=f"page-{name}@example.org", name=name)
        with Client(login.url, {"origin": login.url}) as client:
            answered(client.http)
            client.call("/client.config")
    with Client(login.url, {"authorization": TOKEN}) as program:
        everybody = program.call("/users.list", {"page_size": 100})
        ids = [each["id"] for each in everybody["data"]]
        pages: list[Any] = [program.call("/users.list", {"page_size": 1})]
        while (cursor := pages[-1]["pagination_data"]["next_cursor"]) is not None:
            pages.append(program.call("/users.list", {"page_size": 1, "cursor": cursor}))
        wrong = program.post("/users.list", {"page_size": 1, "cursor": "nobody"})

    assert ids == sorted(ids)
    assert [each["id"] for page in pages for each in page["data"]] == ids
    assert pages[1]["pagination_data"] == {
        "previous_cursor": ids[0],
        "next_cursor": ids[2],
        "total": len(ids),
    }
    assert everybody["pagination_data"]["next_cursor"] is None
    assert wrong.status_code == 400


def test_a_person_with_a_session_token_in_the_header_is_in_no_directory(login: Running) -> None:
    principal = '{"id":"example:header@example.org","name":"Header","avatarUrl":null}'
    token = jwt.encode({"principal": principal}, b64decode(platforms.JWT_SECRET), "HS256")
    with Client(login.url, {"authorization": f"Bearer {token}"}) as client:
        profile = client.call("/client.config")["user_profile"]
        known = [each["id"] for each in client.call("/users.list", {"page_size": 100})["data"]]

    assert profile["name"] == "Header"
    assert profile["id"] not in known


def test_who_is_limited_is_told_what_is_left(user: Client) -> None:
    headers = user.post("/client.config").headers

    assert headers["ratelimit-limit"] == "10000"
    assert 0 < int(headers["ratelimit-remaining"]) < 10_000
    assert 1 <= int(headers["ratelimit-reset"]) <= 60


def test_a_user_of_github_is_their_number(provider: IdentityProvider) -> None:
    """GitHub gives no ID token, and the addresses only to who asks for them."""
    uris = ("authorization_uri", "token_uri", "user_info_uri", "client_id", "client_secret")
    settings = {key: provider.settings[key] for key in uris} | {
        "provider": "github",
        "allowed_email_patterns": "*@example.org",
    }
    provider.person = Person(
        profile={"id": 4403838, "login": "ada", "avatar_url": "https://a.test"}
    )
    place = home({"security": {"oidc": settings}, "partitions": 1})
    with place as at, started(at) as running, Client(running.url, {"origin": running.url}) as user:
        by = user.http
        without = user.post("/client.config").status_code
        first = by.get("/login")
        asked = by.get(first.headers["location"])
        back = httpx.get(asked.headers["location"]).headers["location"]
        ended = by.get(back)
        profile = user.call("/client.config")["user_profile"]

    assert (without, ended.status_code) == (403, 302)
    assert "oauth2/authorization/github" in first.headers["location"]
    assert "nonce" not in asked.headers["location"]
    assert (profile["id"], profile["name"]) == ("github:4403838", "Ada")
