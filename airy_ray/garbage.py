"""Memory of long-lived processes: garbage is looked for seldom, what starting took given back."""

import ctypes
import gc
from contextlib import suppress

_NEW_OBJECTS = 50_000
"""How many more objects than before make it look: a thousand requests' worth, some megabytes."""


def collect_seldom() -> None:
    """Have it look at new objects seldom, and never again at those that are there now.

    As it comes, it looks through the requests in flight after every few hundred objects, and finds
    nothing: a webhook waits for the disk among thousands of them. That took an eighth of the time,
    and a twentieth of an owner's, whose batch grows until it is written.
    """
    give_back()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


def give_back() -> None:
    """Give the memory back that starting took: the C library would keep it for later."""
    gc.collect()
    with suppress(AttributeError):  # it is not glibc
        ctypes.CDLL(None).malloc_trim(0)
