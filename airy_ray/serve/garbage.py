"""Python's garbage collector, in a process that answers requests."""

import gc

_NEW_OBJECTS = 50_000
"""How many more objects than before make it look: a thousand requests' worth, some megabytes."""


def collect_seldom() -> None:
    """Have it look at new objects seldom, and never again at those that are there now.

    As it comes, it looks through the requests in flight after every few hundred objects, and finds
    nothing: a webhook waits for the disk among thousands of them. That took an eighth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
