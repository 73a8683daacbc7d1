"""History folded again: which part of it, into a new generation, held against the present one."""
