"""Logs of all processes: one line each, to standard error, which Ray keeps in files per process."""

import logging
import sys

_FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


def log_to_stderr(level: int = logging.INFO) -> None:
    """Have this process log what is ours."""
    logger = logging.getLogger("airy_ray")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells addresses, tokens and all
