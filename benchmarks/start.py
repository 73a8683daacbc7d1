"""`airy-ray up` on a set-up checkout is ready within 25 s and takes 1.6 GB with 4 partitions."""

from benchmarks.measuring import Options, Report, main, temporary_directory
from benchmarks.system import SETTINGS, platform

_READY_S = 25
_MEMORY_GB = 1.6
_PARTITIONS = 4
_IDLE_S = 10.0


def run(options: Options) -> int:
    """Start on a new data directory, wait for the ready line, then for rest; again and again."""
    report = Report("start", "starts quickly, and is small")
    for _ in range(options.repeats):
        with (
            temporary_directory() as directory,
            platform(directory, {**SETTINGS, "partitions": _PARTITIONS}) as started,
        ):
            started.wait_until_quiet()
            memory_gb = started.memory_mib * 2**20 / 1e9
            idle_cores = started.cores_used(_IDLE_S)
            report.add("start", ready_s=started.ready_s, memory_gb=memory_gb, idle_cores=idle_cores)
    report.require("ready line", report.median("start", "ready_s"), "s", at_most=_READY_S)
    report.require(
        f"memory at rest, {_PARTITIONS} partitions",
        report.median("start", "memory_gb"),
        "GB",
        at_most=_MEMORY_GB,
    )
    return report.finish()


if __name__ == "__main__":
    main(run, __doc__)
