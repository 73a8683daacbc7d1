"""Commands about custom sources: carried out by the registry. None holds a token."""

from airy_ray.model.commands.base import Command


class CreateSource(Command, frozen=True, kw_only=True, tag="sources.create"):
    """A program is to bring messages in as a source of its own."""

    source_id: str
    name: str | None = None
    image_url: str | None = None
    action_endpoint: str | None = None


class UpdateSource(Command, frozen=True, kw_only=True, tag="sources.update"):
    """A source is to be called this and told there; what is not given, it has no more."""

    source_id: str
    name: str | None = None
    image_url: str | None = None
    action_endpoint: str | None = None


class DeleteSource(Command, frozen=True, kw_only=True, tag="sources.delete"):
    """A source is to bring nothing in any more; what it brought stays."""

    source_id: str


SourceCommand = CreateSource | UpdateSource | DeleteSource
