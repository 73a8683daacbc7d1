"""Which agents are there, over all processes that serve WebSockets.

Each process tells of its own connections, at every change and again every ten seconds; who was not
told of for half a minute is gone, and so is who has had no connection for five seconds: a page that
is loaded again is no absence.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from airy_ray.cluster.ephemeral import Presence
from airy_ray.model.ids import ConversationId, format_id
from airy_ray.serve import ephemeral_events
from airy_ray.serve.api.tokens import Profile

_AGAIN_S = 10.0
_FORGOTTEN_S = 30.0
_GRACE_S = 5.0
_VIEWED_MAX = 50


@dataclass
class _Here:
    """Somebody's connections to this process."""

    profile: Profile
    connections: int = 0
    viewed: Counter[ConversationId] = field(default_factory=Counter)
    told_at: float = 0.0
    gone_at: float | None = None


class _Shown(NamedTuple):
    """What clients know of somebody."""

    name: str | None
    avatar_url: str | None
    viewing: tuple[str, ...]

    def event(self, user_id: str, *, online: bool) -> bytes:
        viewing = list(self.viewing) if online else []
        return ephemeral_events.present(
            user_id, self.name, self.avatar_url, online=online, viewing=viewing
        )


class PresenceTracker:
    """Follows who is connected here, and what other processes tell."""

    def __init__(
        self, process: str, tell: Callable[[Presence], None], changed: Callable[[bytes], None]
    ) -> None:
        self._process = process
        self._tell = tell
        self._changed = changed
        self._here: dict[str, _Here] = {}
        self._told: dict[str, dict[str, tuple[float, Presence]]] = {}
        self._shown: dict[str, _Shown] = {}

    def enter(self, profile: Profile, now: float) -> None:
        """Note a connection."""
        here = self._here.setdefault(profile.id, _Here(profile))
        here.profile = profile
        here.connections += 1
        here.gone_at = None
        if here.connections == 1:
            self._announce(here, now)

    def leave(self, profile: Profile, now: float) -> None:
        """Note that a connection is gone."""
        here = self._here[profile.id]
        here.connections -= 1
        if not here.connections:
            here.gone_at = now

    def view(self, profile: Profile, conversation: ConversationId, now: float) -> None:
        """Note that somebody has a conversation open."""
        here = self._here[profile.id]
        here.viewed[conversation] += 1
        if here.viewed[conversation] == 1:
            self._announce(here, now)

    def unview(self, profile: Profile, conversation: ConversationId, now: float) -> None:
        """Note that they have closed it."""
        here = self._here[profile.id]
        here.viewed[conversation] -= 1
        if not here.viewed[conversation]:
            del here.viewed[conversation]
            self._announce(here, now)

    def hear(self, told: Presence, now: float) -> None:
        """Take what a process tells, this one too."""
        by_process = self._told.setdefault(told.user_id, {})
        if told.is_online:
            by_process[told.process] = (now, told)
        else:
            by_process.pop(told.process, None)
        self._show(told)

    def tick(self, now: float) -> None:
        """Tell again who is here; let go who is not."""
        for user_id, here in list(self._here.items()):
            if here.gone_at is not None and now > here.gone_at + _GRACE_S:
                del self._here[user_id]
                self._tell(self._presence(here, is_online=False))
            elif now > here.told_at + _AGAIN_S:
                self._announce(here, now)
        for by_process in list(self._told.values()):
            for process, (told_at, told) in list(by_process.items()):
                if now > told_at + _FORGOTTEN_S:
                    del by_process[process]
                    self._show(told)

    def all(self) -> Iterator[bytes]:
        """Yield an event for each who is there."""
        for user_id, shown in self._shown.items():
            yield shown.event(user_id, online=True)

    def _announce(self, here: _Here, now: float) -> None:
        here.told_at = now
        self._tell(self._presence(here, is_online=True))

    def _presence(self, here: _Here, *, is_online: bool) -> Presence:
        profile = here.profile
        viewed = tuple(here.viewed)[:_VIEWED_MAX]
        return Presence(
            self._process, profile.id, profile.name, profile.avatar_url, is_online, viewed
        )

    def _show(self, told: Presence) -> None:
        """Tell of somebody if they are there otherwise than before."""
        by_process = self._told.get(told.user_id, {})
        viewing = sorted(
            {format_id(each) for _, one in by_process.values() for each in one.conversation_ids}
        )
        known = self._shown.pop(told.user_id, None)
        now = _Shown(told.name, told.avatar_url, tuple(viewing))
        if by_process:
            self._shown[told.user_id] = now
        else:
            del self._told[told.user_id]
        if known != (now if by_process else None):
            self._changed(now.event(told.user_id, online=bool(by_process)))
