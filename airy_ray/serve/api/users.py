"""`users.list` (contract: platform API §7.7), and how users get there: by calling."""

import logging
import os
import time

from airy_ray.errors import AiryError, RequestError
from airy_ray.model import user
from airy_ray.model.commands import SeeUser
from airy_ray.model.ids import Slot, command_id, format_id
from airy_ray.serve.api import shapes
from airy_ray.serve.api.callers import Grant
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import page, size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.state.queries import Reading

logger = logging.getLogger(__name__)

_SEEN_S = 60.0
_SEEN_MAX = 10_000


class ListUsers(Body):
    """Which page of users."""

    model_config = example(page_size=50)
    cursor: OptionalText = None
    page_size: int | None = 20


async def list_users(platform: Platform, _: Caller, asked: ListUsers) -> Response:
    """Return a page of the people who have logged in and called, by id."""
    ask = platform.partitions.ask_registry
    size = size_of(asked.page_size, limit=platform.settings.limits.page_size)
    total = await ask(Reading.user_count)
    cursor = asked.cursor.strip() if asked.cursor and total > size else ""
    if cursor and await ask(Reading.user, cursor) is None:
        raise RequestError(400, "cursor: no user")
    rows = await ask(Reading.users, cursor or None, size + 1)
    before = await ask(Reading.user_before, cursor, size) if cursor else None
    return page(
        [user.rendered(row) for row in rows[:size]],
        previous=None if before is None else before.id,
        following=rows[size].id if len(rows) > size else None,
        total=total,
    )


class Sightings:
    """Tells the registry of people who call, at most once a minute each."""

    def __init__(self) -> None:
        self._told_at: dict[str, float] = {}

    async def note(self, platform: Platform, grant: Grant) -> None:
        """Note that somebody is here, if that is what a cookie says. Never fails their request."""
        profile = grant.profile
        if profile is None or not grant.is_session:
            return
        now = time.monotonic()
        if now - self._told_at.get(profile.id, -_SEEN_S) < _SEEN_S:
            return
        if len(self._told_at) >= _SEEN_MAX:
            self._told_at.clear()
        self._told_at[profile.id] = now
        command = SeeUser(
            id=format_id(command_id(Slot(0), os.urandom(16))),
            principal=profile.id,
            user_id=profile.id,
            name=profile.name,
            avatar_url=profile.avatar_url,
        )
        try:
            await platform.register(command)
        except AiryError as error:
            logger.warning("a user was not noted: %s", error)
            self._told_at.pop(profile.id, None)


ENDPOINTS = [
    Endpoint(
        "/users.list",
        list_users,
        ListUsers,
        "List users",
        shapes.Page[shapes.User],
        may_be_empty=True,
    )
]
