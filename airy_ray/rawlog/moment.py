"""Several logs as one moment had them, copied while others append to them.

1. A read transaction of each log is begun, then another of each. Where both see the same commit,
   nothing was committed between; so all logs were as the first ones see them when the last of
   these began. Nobody waits for that, and nothing is written.
2. What is in all of them at one moment holds together: a record that one log says was forwarded is
   in the other, and whatever was acknowledged before is in its log.

It runs in a child: LMDB may abort on damaged pages, and opens no environment twice in a process.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import lmdb

from airy_ray.errors import DamagedError, DiskFullError, LogBusyError
from airy_ray.rawlog.tail import LOG_TABLES, number_in_use, path_of
from airy_ray.storage import pages
from airy_ray.storage.files import is_no_space

_MAP_BYTES = 1 << 38
_TRIES_MAX = 100_000


def copy(directories: Sequence[Path], copies: Sequence[Path]) -> None:
    """Copy the logs in use in partitions' directories, compacted, each to `log.1` in another.

    Raises:
        DamagedError: one of them cannot be copied.
        DiskFullError: there is no space.
        LogBusyError: one of them was put in another's place just now; begin again.
    """
    numbers = [number_in_use(directory) for directory in directories]
    paths = [path_of(*each) for each in zip(directories, numbers, strict=True)]
    with ExitStack() as stack:
        environments = [stack.enter_context(_opened(path)) for path in paths]
        transactions = _moment(environments)
        if [number_in_use(directory) for directory in directories] != numbers:
            raise LogBusyError("a log was replaced while it was to be copied")
        for path, environment, transaction, to in zip(
            paths, environments, transactions, copies, strict=True
        ):
            _copy(path, environment, transaction, path_of(to, 1))


def copy_environment(path: Path, to: Path) -> None:
    """Copy one environment, compacted, as it is now.

    Raises:
        DamagedError, DiskFullError: as `copy`.
    """
    with _opened(path) as environment, environment.begin() as transaction:
        _copy(path, environment, transaction, to)


def _moment(environments: Sequence[lmdb.Environment]) -> list["lmdb.Transaction[bytes]"]:
    """Return a read transaction of each, between whose beginnings nothing was committed."""
    for _ in range(_TRIES_MAX):
        transactions = [environment.begin() for environment in environments]
        if all(
            _seen(environment) == transaction.id()
            for environment, transaction in zip(environments, transactions, strict=True)
        ):
            return transactions
        for transaction in transactions:
            transaction.abort()
    raise LogBusyError("the logs do not hold still for a moment")


def _seen(environment: lmdb.Environment) -> int:
    with environment.begin() as transaction:
        return transaction.id()


def _opened(path: Path) -> lmdb.Environment:
    try:
        pages.check_length(path / "data.mdb")
        return lmdb.open(str(path), readonly=True, max_dbs=len(LOG_TABLES), map_size=_MAP_BYTES)
    except FileNotFoundError as error:
        raise DamagedError(str(path), "it is missing") from error
    except lmdb.Error as error:
        raise DamagedError(str(path), str(error)) from error


def _copy(
    path: Path, environment: lmdb.Environment, transaction: "lmdb.Transaction[bytes]", to: Path
) -> None:
    to.mkdir(parents=True)
    try:
        environment.copy(str(to), compact=True, txn=transaction)
    except (lmdb.Error, OSError) as error:
        if is_no_space(getattr(error, "code", None) or getattr(error, "errno", None)):
            raise DiskFullError(str(to)) from error
        raise DamagedError(str(path), str(error)) from error
