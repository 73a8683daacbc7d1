"""`airy-ray token`: API tokens of a running system, made and revoked through its API."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from airy_ray.cli.client import call
from airy_ray.cli.data import ConfigOption, JsonOption
from airy_ray.cli.output import console, error_console, fail, print_json, print_table
from airy_ray.cli.units import seconds
from airy_ray.config import load
from airy_ray.errors import ConfigError

token = typer.Typer(
    name="token",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

UrlOption = Annotated[
    str | None, typer.Option("--url", help="The running system; as configured without it.")
]


class ScopeName(StrEnum):
    """What a token is good for; each includes those before it."""

    READ = "read"
    WRITE = "write"
    MANAGE = "manage"


@token.callback()
def _tokens() -> None:
    """Make, list and revoke API tokens. The system token of the settings is what it takes."""


@token.command()
def create(
    name: Annotated[str, typer.Option(help="Who acts with it: token:NAME.")],
    scope: Annotated[ScopeName, typer.Option(help="What it is good for.")],
    source: Annotated[
        list[str] | None, typer.Option(help="Only conversations of this source; repeatable.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(help="Only those on this channel; repeatable.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="How long it is good for: 12h, 30d; for ever without.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="How much it may ask; as configured without it.")
    ] = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print its secret, which is not kept anywhere.

    With sources and channels it reaches the conversations on any of them.

    Exit code 0: made. 1: the system refused. 2: wrong use, or nothing runs there.

    Example: airy-ray token create --name crm --scope write --source facebook --expires 30d
    """
    asked = {
        "name": name,
        "scope": scope.value,
        "sources": source or [],
        "channel_ids": channel or [],
        "requests_per_minute": requests_per_minute,
    }
    try:
        asked["expires_in_s"] = None if expires is None else seconds("--expires", expires)
    except ConfigError as error:
        fail(error)
    made = _call(url, config, "/tokens.create", asked)
    if as_json:
        print_json(made)
        return
    print(made["token"])
    error_console.print(f"{made['id']}, which `token revoke` takes", style="dim", markup=False)


@token.command("list")
def list_tokens(
    url: UrlOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the tokens there are, without their secrets.

    Exit code 0: listed. 1: the system refused. 2: wrong use, or nothing runs there.
    """
    listed = _call(url, config, "/tokens.list", {})["data"]
    if as_json:
        print_json(listed)
    elif listed:
        columns = ("id", "name", "scope", "reaches", "made", "by", "expires")
        print_table(columns, [_row(each) for each in listed])
    else:
        console.print("there are no tokens")


@token.command()
def revoke(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Which: as it is listed.")],
    url: UrlOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a token good for nothing, at once.

    Exit code 0: revoked. 1: there is none, or the system refused. 2: wrong use, or nothing runs
    there.
    """
    _call(url, config, "/tokens.revoke", {"id": identifier})
    if as_json:
        print_json({"revoked": identifier})
    else:
        console.print("revoked")


def _call(url: str | None, config: Path | None, path: str, asked: Any) -> Any:
    """Return what the running system answers, or end."""
    try:
        settings = load({}, file=config)
    except ConfigError as error:
        fail(error)
    return call(settings, url, path, asked, missing="there is no such token")


def _row(listed: dict[str, Any]) -> Sequence[object]:
    reach = [*listed["sources"], *listed["channel_ids"]]
    return (
        listed["id"],
        listed["name"],
        listed["scope"],
        " ".join(reach) or "everything",
        listed["created_at"],
        listed["created_by"],
        listed["expires_at"] or "never",
    )
