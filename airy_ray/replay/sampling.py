"""Whether the history of a few conversations, folded again, gives the rows that there are."""

import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

from airy_ray.model.ids import ID_BYTES, ConversationId, format_id
from airy_ray.partition.checks import records_to_fold
from airy_ray.partition.finding import PROBLEMS_MAX, Check, Damage, Finding, Step
from airy_ray.partition.spec import PartitionSpec
from airy_ray.replay import building
from airy_ray.replay.selection import Selection
from airy_ray.state.state import State

_LAST = b"\xff" * 32


def check_of_sample(count: int, seed: int) -> Check:
    """Return a check of `count` conversations of each partition, the same for the same seed."""
    return partial(_check_sample, count=count, seed=seed)


def _check_sample(
    spec: PartitionSpec, scratch: Path, is_log_sound: bool, *, count: int, seed: int
) -> Iterator[Finding]:
    """Fold conversations again in a copy of the copied state, and name the rows that differ."""
    kept, fresh = scratch / "state", scratch / "sample"
    name = str(spec.directory / "state")
    yield Step(spec.name, name)
    if (yield from records_to_fold(spec, kept, is_log_sound)) is None:
        return
    with closing(State(kept)) as state:
        conversations = _drawn(state, count, f"{seed} {spec.name}")
    if not conversations:
        return
    shutil.copytree(kept, fresh)
    for done, total in building.fold_part(spec, fresh, Selection(conversations=conversations)):
        yield Step(spec.name, name, done, total)
    for problem in islice(_problems(kept, fresh), PROBLEMS_MAX):
        yield Damage(spec.name, name, problem)


def _drawn(state: State, count: int, seed: str) -> tuple[ConversationId, ...]:
    there = state.first_keys("conversations", before=_LAST, limit=1 << 40)
    drawing = random.Random(seed)  # noqa: S311 - nobody is to be surprised by it
    return tuple(map(ConversationId, drawing.sample(there, min(count, len(there)))))


def _problems(kept: Path, fresh: Path) -> Iterator[str]:
    from airy_ray.replay import diff  # loads Arrow

    for found in diff.differing(kept, fresh):
        match found.change:
            case "changed":
                told = "gives another row"
                told += f", in {', '.join(found.fields)}" if found.fields else ""
            case "only before":
                told = "does not give it"
            case _:
                told = "gives it, and it is missing"
        subject = found.subject
        row = format_id(subject) if len(subject) == ID_BYTES else subject.hex()
        yield f"table {found.table}, {row}: folding its history again {told}"
