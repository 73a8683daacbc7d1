"""Records folded into a state, many in one transaction; what fails is put aside alone."""

from collections.abc import Callable

from airy_ray.errors import StateError, UnstorableError
from airy_ray.partition.fold import FoldError, Understood, fold, quarantine
from airy_ray.state.state import State

_Step = list[Understood] | FoldError
"""Records to fold together, or one to put aside."""


def write(
    state: State,
    understood: list[Understood],
    *,
    is_history: bool = False,
    before_commit: Callable[[], object] | None = None,
) -> dict[int, str]:
    """Fold the records that follow what a state holds; return which are put aside, and why.

    What it holds is passed over: the child of an owner that died may still write for a moment. If
    it fails, some of them may be folded. `before_commit` is called before each commit.

    Raises:
        StateError: they do not follow what it holds, or it cannot be read.
        StorageError, MemoryError: not the fault of a record either.
    """
    aside: dict[int, str] = {}

    def write_aside(error: FoldError) -> None:
        put_aside(state, error, is_history=is_history)
        aside[error.failed.offset] = type(error.cause).__name__

    def write_all(several: list[Understood]) -> None:
        with state.batch(is_history=is_history, before_commit=before_commit) as writing:
            if several[0].offset > writing.applied:
                raise StateError(f"it ends before offset {several[0].offset}")
            for each in several:
                if each.offset >= writing.applied:
                    fold(writing.batch, each)
            writing.applied = max(writing.applied, several[-1].offset + 1)

    in_steps(understood, write_all, write_aside)
    return aside


def in_steps(
    understood: list[Understood],
    write_all: Callable[[list[Understood]], None],
    write_aside: Callable[[FoldError], None],
) -> None:
    """Write records in order, in as few transactions as that can be, and put aside what fails.

    `write_all` writes several in one transaction, or none of them, and raises.
    """
    steps: list[_Step] = [understood]
    while steps:
        step = steps.pop()
        if isinstance(step, FoldError):
            write_aside(step)
        elif step:
            steps += reversed(_tried(step, write_all))


def _tried(
    understood: list[Understood], write_all: Callable[[list[Understood]], None]
) -> list[_Step]:
    """Write records in one transaction; return what is to be done instead if that cannot be."""
    try:
        write_all(understood)
    except FoldError as error:
        return _around(understood, error)
    except UnstorableError as error:  # of one that is not known
        if len(understood) > 1:
            return [[each] for each in understood]
        return [FoldError(understood[0], error)]
    return []


def _around(understood: list[Understood], error: FoldError) -> list[_Step]:
    failed = error.failed.offset
    before = [each for each in understood if each.offset < failed]
    behind = [each for each in understood if each.offset > failed]
    return [before, error, behind]


def put_aside(state: State, error: FoldError, *, is_history: bool) -> None:
    """Put the record that follows what a state holds into quarantine, if it still does follow."""
    offset = error.failed.offset
    with state.batch(is_history=is_history) as writing:
        if offset == writing.applied:
            quarantine(writing.batch, error)
            writing.applied = offset + 1
