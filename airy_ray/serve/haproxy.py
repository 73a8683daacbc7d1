"""HAProxy in the place where Ray starts it: with a configuration of its own, and never orphaned.

1. Ray writes a configuration again while an HAProxy that is to read it still starts. So each gets
   an adapted copy in memory, and the file stays as Ray has it.
2. Its pages about itself are for this machine only.
3. "Nobody can answer now" is a 503, not a 500; nor a 404, for the API has all paths, and one
   without an application only comes too early.
4. Replicas are told not to watch for clients that leave: that costs two tasks for each request, and
   requests are done within milliseconds anyway. Files are not: players leave in the middle of them.
   WebSockets are: our application hears of it itself.
5. `/ws.<name>` is `/ws/<name>` to Serve, which knows applications by whole segments of a path.
   Nothing is compressed on WebSockets: it takes 60 kB for each, and the same bytes go to many.
6. It dies with the process that starts it: one that outlived a crash would hold the port, and go on
   sending requests to where nobody is.

Runs as a script, on the standard library alone, because it stands before each start of HAProxy.
"""

import ctypes
import os
import re
import signal
import sys
from pathlib import Path

_CHANGES = (
    (r"bind (?::|\*:)(?=\d)", "bind 127.0.0.1:"),
    (r"(?m)^.*errorfile 50[234].*\n", ""),
    (r"return status 404 ", "return status 503 "),
    (
        r"(?m)^(frontend http_frontend.*\n)",
        r"\1    http-request set-header x-request-disconnect-disabled ?1"
        r" if !{ path_beg /media/ }"
        "\n    http-request replace-path ^/ws[.](.*) /ws/\\\\1"
        "\n    http-request del-header sec-websocket-extensions\n",
    ),
)
_PR_SET_PDEATHSIG = 1


def adapted(configuration: str) -> str:
    """Return a configuration that Ray wrote as it has to be for us."""
    for pattern, replacement in _CHANGES:
        configuration = re.sub(pattern, replacement, configuration)
    return configuration


def arguments_for(arguments: list[str]) -> list[str]:
    """Return HAProxy's arguments with an adapted copy in the place of its configuration.

    Ray knows its processes by the configuration's path among their arguments, so it stays one: as
    the name of the local peer, which nothing else uses.
    """
    at = arguments.index("-f") + 1
    file = Path(arguments[at])
    descriptor = os.memfd_create("haproxy.cfg", flags=0)  # stays open in HAProxy
    os.write(descriptor, adapted(file.read_text()).encode())
    copy = f"/proc/self/fd/{descriptor}"
    return [*arguments[:at], copy, "-L", str(file), *arguments[at + 1 :]]


def main(parent: int, binary: str, arguments: list[str]) -> None:
    """Become HAProxy, as long as the process that wants it is there."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        os.execv(binary, [binary, *arguments_for(arguments)])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
