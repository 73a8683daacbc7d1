"""The commands, put together."""

import typer

from airy_ray.cli.backup import backup
from airy_ray.cli.export import export
from airy_ray.cli.import_contacts import import_contacts
from airy_ray.cli.ledger import ledger
from airy_ray.cli.openapi import openapi
from airy_ray.cli.quarantine import quarantine
from airy_ray.cli.replay import replay
from airy_ray.cli.restore import restore
from airy_ray.cli.retention import retention
from airy_ray.cli.simulate import simulate
from airy_ray.cli.status import status
from airy_ray.cli.token import token
from airy_ray.cli.up import up
from airy_ray.cli.verify import verify

app = typer.Typer(
    name="airy-ray",
    help="A self-hosted messaging platform: every source in one inbox, nothing lost.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up)
app.command()(status)
app.add_typer(ledger)
app.add_typer(quarantine)
app.add_typer(replay)
app.add_typer(token)
app.command()(verify)
app.add_typer(backup)
app.command()(restore)
app.command()(retention)
app.command()(export)
app.command()(simulate)
app.command()(import_contacts)
app.command()(openapi)


@app.callback()
def _program() -> None:
    """Keep `up` a command of its own, also while it is the only one."""
