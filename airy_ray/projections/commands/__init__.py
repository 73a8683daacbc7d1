"""Commands carried out: what a caller wished, folded in the order of the log, and its answer.

The caller waits until its record is applied and answers with what is left here, so it reads its own
writes, and a command that comes twice is carried out once.
"""

from airy_ray.projections.commands.carry_out import (
    HANDLERS,
    IGNORED_REPEATED,
    REPEATED_WITHIN_MS,
    carry_out,
    is_repeated,
)

__all__ = ["HANDLERS", "IGNORED_REPEATED", "REPEATED_WITHIN_MS", "carry_out", "is_repeated"]
