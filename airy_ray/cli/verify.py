"""`airy-ray verify`: is everything in the data directory what was written?"""

import secrets
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from airy_ray.cli.data import ConfigOption, Data, DataOption, JsonOption, opened
from airy_ray.cli.output import error_console, fail, print_json, say
from airy_ray.cli.scratch import scratch
from airy_ray.errors import DiskFullError
from airy_ray.partition.finding import Damage, Note, Step
from airy_ray.partition.verify import verify as verified
from airy_ray.replay.sampling import check_of_sample

_SHOWN_PER_FILE = 10


def verify(
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also fold the whole log again and compare with the state."),
    ] = False,
    sample: Annotated[
        int,
        typer.Option(
            "--sample",
            min=0,
            help="Also fold the history of so many conversations of each partition again, drawn "
            "by lot, and compare their rows.",
        ),
    ] = 0,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draw the same conversations as another time.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every page, record, archive file and row, and name all damage. Changes nothing.

    Works while the system runs: log and state are copied first, which takes their size in disk
    space for a while, and the copies are checked.

    Exit code 0: all is whole. 1: damage was found, or something could not be checked. 2: wrong use.

    Example: airy-ray verify --data /var/lib/airy --sample 100
    """
    found = opened(data, config)
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    further = [check_of_sample(sample, seed)] if sample else []
    damages: list[Damage] = []
    notes: list[Note] = []
    try:
        with (
            scratch(found.directory, "verify") as copies,
            error_console.status("checking") as progress,
        ):
            for finding in verified(found.specs, copies, deep=deep, further=further):
                match finding:
                    case Step():
                        progress.update(_told_step(finding, found.directory))
                    case Damage():
                        damages.append(finding)
                    case Note():
                        notes.append(finding)
    except DiskFullError as error:
        fail(f"not everything was checked: no space for a copy ({error})", code=1)
    drawn = {"sample": sample, "seed": seed} if sample else {}
    if as_json:
        print_json(_for_programs(found, damages, notes) | drawn)
    else:
        if sample:
            say(f"conversations of each partition: {sample}, drawn with --seed {seed}", "dim")
        _show(found, damages, notes)
    if damages:
        raise typer.Exit(1)


def _told_step(step: Step, data: Path) -> str:
    far = f": {step.done:,} of {step.total:,}" if step.total else ""
    return f"checking {_name(step.partition)}, {_short(step.file, data)}{far}"


def _show(data: Data, damages: list[Damage], notes: list[Note]) -> None:
    for note in notes:
        say(f"{_place(note, data.directory)}: {note.note}", "dim")
    for file, found in groupby(damages, key=lambda damage: _place(damage, data.directory)):
        problems = [damage.problem for damage in found]
        for problem in problems[:_SHOWN_PER_FILE]:
            say(f"{file}: {problem}", "red")
        if len(problems) > _SHOWN_PER_FILE:
            say(f"{file}: {len(problems) - _SHOWN_PER_FILE} more; --json tells them", "red")
    if not damages:
        say(f"all is whole: {len(data.specs) - 1} partitions and the registry", "green")
        return
    files = len({damage.file for damage in damages})
    say("one file is damaged" if files == 1 else f"{files} files are damaged", "red")
    say(
        "airy-ray up repairs what it meets: a damaged state is folded again out of the log, and "
        "records that are nowhere whole are marked as lost",
        "none",
    )


def _place(finding: Damage | Note, data: Path) -> str:
    return f"{_name(finding.partition)}, {_short(finding.file, data)}"


def _for_programs(data: Data, damages: list[Damage], notes: list[Note]) -> dict[str, Any]:
    return {
        "data": str(data.directory),
        "whole": not damages,
        "damages": msgspec.to_builtins(damages),
        "notes": msgspec.to_builtins(notes),
    }


def _name(partition: str) -> str:
    return f"partition {partition}" if partition.isdecimal() else partition


def _short(file: str, data: Path) -> str:
    path = Path(file)
    return str(path.relative_to(data)) if path.is_relative_to(data) else file
