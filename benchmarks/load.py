"""The load: wrk posts over keep-alive connections, and tells what it met."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.measuring import BenchmarkError, temporary_directory

_POSTS = r"""
local requests = {}
init = function()
  for line in io.lines(%s) do
    local path, given, body = line:match("^([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {["content-type"] = "application/json"}
    for name, value in given:gmatch("([^:\31]+): ([^\31]*)") do headers[name] = value end
    requests[#requests + 1] = wrk.format("POST", path ~= "" and path or nil, headers, body)
  end
end
local sent = 0
request = function()
  sent = sent %% #requests + 1
  return requests[sent]
end
"""

_DONE = """
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"us":%d,"p50":%f,"p99":%f,"errors":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Load(NamedTuple):
    """What a closed loop of requests met, each connection sending its next when it is answered."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


class Post(NamedTuple):
    """What is posted.

    Attributes:
        body: without line breaks; JSON, unless a header says otherwise.
        headers: their names in lower case.
        path: empty for that of the address it is posted to.
    """

    body: bytes
    headers: Sequence[tuple[str, str]] = ()
    path: str = ""

    @property
    def line(self) -> bytes:
        """How the script reads it."""
        headers = "\x1f".join(f"{name}: {value}" for name, value in self.headers)
        return b"%b\t%b\t%b\n" % (self.path.encode(), headers.encode(), self.body)


def wrk(url: str, posts: Sequence[Post], *, connections: int, seconds: float) -> Load:
    """Post to `url` over keep-alive connections, one after another and from the first again.

    Raises:
        BenchmarkError: wrk is missing, or a request failed.
    """
    program = shutil.which("wrk")
    if program is None:
        raise BenchmarkError("wrk is missing: apt-get install wrk (or brew install wrk)")
    with temporary_directory() as directory:
        lines, script = directory / "posts", directory / "posts.lua"
        lines.write_bytes(b"".join(post.line for post in posts))
        script.write_text(_POSTS % json.dumps(str(lines)) + _DONE)
        command = [program, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s"]
        told = subprocess.run([*command, "-s", str(script), url], capture_output=True, text=True)
    if told.returncode != 0:
        raise BenchmarkError(f"wrk: {(told.stderr or told.stdout).strip()[-500:]}")
    read = json.loads(told.stdout.strip().splitlines()[-1])
    if read["errors"]:
        raise BenchmarkError(f"{read['errors']} of {read['requests']} requests to {url} failed")
    rate = read["requests"] / (read["us"] / 1e6)
    return Load(read["requests"], rate, read["p50"] / 1e3, read["p99"] / 1e3)
