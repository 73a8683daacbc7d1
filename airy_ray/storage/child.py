"""Work that may kill its process, done in a child: LMDB aborts on some damaged pages.

A child is forked from a server that has nothing open, whatever this process has: no environment of
this process is ever open in two.
"""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from airy_ray.errors import ChildDiedError
from airy_ray.garbage import collect_seldom

T = TypeVar("T")

_FORKS = multiprocessing.get_context("forkserver")
_PR_SET_PDEATHSIG = 1
_ITEM, _ERROR, _END = "item", "error", "end"


def results(work: Callable[..., Iterator[T]], *args: Any) -> Generator[T, None, None]:
    """Yield what a generator function of an importable module yields in a child of its own.

    What it raises is raised here. The child ends with the iteration.

    Raises:
        ChildDiedError: the child was killed, by damage most likely.
    """
    _FORKS.set_forkserver_preload([work.__module__])  # what the first child needs, all do
    receiver, sender = _FORKS.Pipe(duplex=False)
    child = _FORKS.Process(target=_run, args=(sender, work, args), daemon=True)
    child.start()
    sender.close()
    try:
        while (said := _received(receiver)) is not None:
            kind, content = said
            if kind == _END:
                return
            if kind == _ERROR:
                raise content
            yield content
        child.join()
        raise ChildDiedError(child.exitcode or 0)
    finally:
        child.terminate()
        child.join()
        receiver.close()


def first(work: Callable[..., Iterator[T]], *args: Any) -> T:
    """Return the first of what `results` yields; nothing more is waited for."""
    with closing(results(work, *args)) as found:
        return next(found)


def _received(receiver: Connection) -> tuple[str, Any] | None:
    try:
        said: tuple[str, Any] = receiver.recv()
    except (EOFError, ConnectionError):
        return None
    return said


def _run(sender: Connection, work: Callable[..., Iterator[Any]], args: tuple[Any, ...]) -> None:
    # the server that it is forked from ends with whom it works for, and it with the server
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who waits for this process
    collect_seldom()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where LMDB would print before it aborts
    try:
        for item in work(*args):
            sender.send((_ITEM, item))
    except BrokenPipeError:
        return
    except Exception as error:  # whoever asked for the work has to know
        sender.send((_ERROR, error))
        return
    sender.send((_END, None))
