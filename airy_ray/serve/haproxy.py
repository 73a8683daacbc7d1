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
   They are let in at a bounded rate: a storm of them, as after a restart, would stop the processes
   that serve those who are in. Others get a 503 and come again; they get it after a second, for
   those who come again at once would keep HAProxy busy with nothing else. Who comes while no
   replica can take them gets a 503 too: Serve's proxy, which is asked then, would let them in and
   drop them.
6. It dies with the process that starts it: one that outlived a crash would hold the port, and go on
   sending requests to where nobody is.
7. Who sends no whole head of a request within ten seconds is let go: thousands who never do would
   take all connections.

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
    (r"(?m)^(backend http-realtime\n(?: .*\n)*?) *server \S+-fallback-.*\n", r"\1"),
)
_FRONTEND = re.compile(r"(?m)^frontend http_frontend.*\n")
_INCOMING = """\
    timeout http-request 10s
    timeout tarpit 1s
    http-request set-header x-request-disconnect-disabled ?1 if !{{ path_beg /media/ }}
    acl is_socket path_beg /ws.
    http-request track-sc0 int(1) table socket_rate if is_socket
    http-request tarpit status 503 hdr retry-after 1 if is_socket {{ sc0_gpc0_rate gt {sockets} }}
    http-request sc-inc-gpc0(0) if is_socket
    http-request replace-path ^/ws[.](.*) /ws/\\1
    http-request del-header sec-websocket-extensions
"""
_TABLES = """
backend socket_rate
    stick-table type integer size 1 expire 10s store gpc0_rate(1s)
"""
_PR_SET_PDEATHSIG = 1


def adapted(configuration: str, sockets_per_s: int) -> str:
    """Return a configuration that Ray wrote as it has to be for us."""
    for pattern, replacement in _CHANGES:
        configuration = re.sub(pattern, replacement, configuration)
    found = _FRONTEND.search(configuration)
    if found is None:
        return configuration
    at = found.end()
    incoming = _INCOMING.format(sockets=sockets_per_s)
    return configuration[:at] + incoming + configuration[at:] + _TABLES


def arguments_for(arguments: list[str], sockets_per_s: int) -> list[str]:
    """Return HAProxy's arguments with an adapted copy in the place of its configuration.

    Ray knows its processes by the configuration's path among their arguments, so it stays one: as
    the name of the local peer, which nothing else uses.
    """
    at = arguments.index("-f") + 1
    file = Path(arguments[at])
    descriptor = os.memfd_create("haproxy.cfg", flags=0)  # stays open in HAProxy
    os.write(descriptor, adapted(file.read_text(), sockets_per_s).encode())
    copy = f"/proc/self/fd/{descriptor}"
    return [*arguments[:at], copy, "-L", str(file), *arguments[at + 1 :]]


def main(parent: int, binary: str, sockets_per_s: int, arguments: list[str]) -> None:
    """Become HAProxy, as long as the process that wants it is there."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        adapted_arguments = arguments_for(arguments, sockets_per_s)
        os.execv(binary, [binary, *adapted_arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])
