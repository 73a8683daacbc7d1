"""Rules of retention: old conversations go, and files with them that nothing else links to."""

from uuid import uuid4

import httpx

from tests.e2e import platforms
from tests.e2e.client import Agent, Client, Visitor
from tests.e2e.program import home, started, until

WITHIN_S = 60.0
AT_ONCE_DAYS = 1e-6
SETTINGS = {
    "partitions": 2,
    "security": {"jwt_secret": platforms.JWT_SECRET},
    "sources": {"google": {"partner_key": platforms.PARTNER_KEY}},
}
RULES = [{"source": "chatplugin", "after_days": 1_000}, {"after_days": AT_ONCE_DAYS}]


def upload(client: Client) -> str:
    """Upload a file; return its path."""
    form = {"file": ("a.bin", uuid4().bytes)}
    url: str = client.http.post("/media.upload", files=form).json()["media_url"]
    return url.removeprefix(client.url)


def statuses(client: Client, paths: list[str]) -> list[int]:
    return [status(client, path) for path in paths]


def status(client: Client, path: str) -> int:
    """Return what a file is answered with; 0 if it went while it was read."""
    try:
        return client.http.get(path).status_code
    except httpx.RemoteProtocolError:
        return 0


def test_files_go_with_old_conversations_unless_something_else_links_to_them() -> None:
    with home(SETTINGS) as place:
        with started(place) as running, Client(running.url) as client:
            sent, lone, answered, shown, pictured = (upload(client) for _ in range(5))
            agent = Agent(client)
            agent.receive("m1", text=f"see {client.url}{sent} and {client.url}{shown}")
            [old] = agent.conversations(1)
            text = {"text": f"{client.url}{sent} {client.url}{answered} {client.url}{pictured}"}
            asked = {"conversation_id": old["id"], "message": text}
            client.call("/messages.send", asked)
            visitor = Visitor(client, client.connect_website())
            visitor.send({"text": f"{client.url}{answered}"})
            content = {"image": f"{client.url}{shown}"}
            template = {"name": "a", "source": "google", "content": content}
            client.call("/templates.create", template)
            picture = {"display_name": "Ada", "avatar_url": f"{client.url}{pictured}"}
            client.call("/contacts.create", picture)
            linked = [answered, shown, pictured]
            assert statuses(client, [sent, lone, *linked]) == [200] * 5
        place.configure(SETTINGS | {"retention": RULES})
        with started(place) as running, Client(running.url) as client:
            until(lambda: statuses(client, [sent, lone]) == [404, 404], WITHIN_S)

            assert statuses(client, linked) == [200] * 3
            assert client.conversations(agent.channel["id"]) == []
            again = client.http.post("/media.upload", files={"file": ("a.bin", b"new")})
            assert client.http.get(again.json()["media_url"]).content == b"new"
