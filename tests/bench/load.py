"""wrk against servers on this machine: rates, the server's processor time a request, and ratios of interleaved runs.

Server and load share two cores, so ratios of rounds and processor time say more than rates. `BENCH_SECONDS`, `BENCH_ROUNDS` and
`BENCH_CONNECTIONS` make runs shorter or smaller.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.waiting import wait_for

SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "64"))
WARM_UP = min(2, SECONDS)
FEW = 5000
"""Ended connections that the kernel may have left to put away when a run over kept ones begins."""
PUT_AWAY = 150.0
"""Seconds within which it must have come to that: twice what it keeps one for, and some."""

# Arguments: the requests' file, `close` for a connection a request or `keep`, a seed; the file of the rare ones, one in how many.
# A line is G and a path, P and a body in hex, or R and a body in hex whose last 15 octets are drawn anew for each request.
# wrk would try each address by a connection that it closes at once, which `openssl ocsp` does not survive.
SCRIPT = """
local common, rare, each, extra = {}, {}, 0, {}
local function octets(text)
  return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end
local function posted(body)
  local headers = {["Content-Type"] = "application/ocsp-request"}
  for name, value in pairs(extra) do headers[name] = value end
  return wrk.format("POST", "/ocsp", headers, body)
end
local function drawn(head)
  local tail = {}
  for at = 1, 15 do tail[at] = string.char(math.random(0, 255)) end
  tail[1] = string.char(math.random(64, 127))
  return posted(head .. table.concat(tail))
end
local function read(path)
  local found = {}
  for line in io.lines(path) do
    local kind, text = line:sub(1, 1), line:sub(3)
    if kind == "G" then found[#found + 1] = wrk.format("GET", text, extra)
    elseif kind == "P" then found[#found + 1] = posted(octets(text))
    else
      local head = octets(text):sub(1, -16)
      found[#found + 1] = function() return drawn(head) end
    end
  end
  return found
end
wrk.resolve = function(host, service) wrk.addrs = wrk.lookup(host, service) end
function init(args)
  if args[2] == "close" then extra = {["Connection"] = "close"} end
  math.randomseed(tonumber(args[3]))
  common = read(args[1])
  if args[4] then rare, each = read(args[4]), tonumber(args[5]) end
end
function request()
  local from = common
  if each > 0 and math.random(each) == 1 then from = rare end
  local chosen = from[math.random(#from)]
  if type(chosen) == "function" then return chosen() end
  return chosen
end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %f %f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.read + summary.errors.connect + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


@dataclass
class Server:
    """A server, and what is asked of it. `before` is called ahead of each run, `after` when it is over."""

    url: str
    pid: int
    requests: Path
    close: bool = False
    rare: Path | None = None
    one_in: int = 100
    before: Callable[["Server"], None] = field(default=lambda _server: None)
    after: Callable[[], None] = field(default=lambda: None)

    def cpu(self) -> float:
        """Seconds of processor that the process and its children have used."""
        return used_by(self.pid)

    def arguments(self) -> list[object]:
        """What the script is told."""
        said: list[object] = [self.requests, "close" if self.close else "keep", secrets.randbits(31)]
        return said + ([self.rare, self.one_in] if self.rare else [])


def used_by(pid: int) -> float:
    """Seconds of processor that a process, its children, and those of them that have ended have used."""
    return sum(used_by_each(pid).values())


def used_by_each(pid: int) -> dict[int, float]:
    """The same by process, that of an ended child with its parent."""
    return {each: _ticks(each) / os.sysconf("SC_CLK_TCK") for each in _family(pid)}


def _family(pid: int) -> list[int]:
    children = [child for each in Path(f"/proc/{pid}/task").glob("*/children") for child in each.read_text().split()]
    return [pid, *(grandchild for child in children for grandchild in _family(int(child)))]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


@dataclass
class Run:
    """One run of wrk: requests a second, processor time of the server a request, and how long answers took."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def required(command: str, package: str) -> str:
    """The path of a program that is measured or measures; fails where it is not installed."""
    found = shutil.which(command) or shutil.which(command, path="/usr/sbin")
    if found is None:
        pytest.fail(f"{command} is not installed (Debian: {package})")
    return found


def time_waits() -> int:
    """How many connections the kernel keeps after their end, for a minute each."""
    fields = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:")).split()
    return int(fields[fields.index("tw") + 1])


def load(server: Server, folder: Path, seconds: int = SECONDS) -> Run:
    """Asks the server for so long by as many connections as there are to be.

    A run over kept connections begins when the kernel has put away what runs with a connection a request left to it.
    """
    script = folder / "wrk.lua"
    script.write_text(SCRIPT)
    if not server.close:
        wait_for(lambda: time_waits() <= FEW, seconds=PUT_AWAY)
    server.before(server)
    try:
        before = server.cpu()
        command = [required("wrk", "wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, server.url]
        command += ["--", *server.arguments()]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=seconds + 300)
        found = re.search(r"RESULT (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+)", done.stdout)
        assert found, done.stdout + done.stderr
        requests, duration, errors = (int(found[number]) for number in (1, 2, 3))
        assert requests > errors * 1000, done.stdout
        used = (server.cpu() - before) / requests * 1e6
    finally:
        server.after()
    return Run(requests / duration * 1e6, used, float(found[4]), float(found[5]))


def interleaved(servers: dict[str, Server], folder: Path) -> dict[str, list[Run]]:
    """Runs of all servers in turns, after one that warms each up."""
    for server in servers.values():
        load(server, folder, WARM_UP)
    runs: dict[str, list[Run]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            runs[name].append(load(server, folder))
    return runs


def ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(one.rate / other.rate for one, other in zip(ours, theirs, strict=True))


def told(runs: Sequence[Run]) -> str:
    """What a line of the table says beside the rate: medians."""
    cpu, middle, last = (statistics.median(getattr(run, each) for run in runs) for each in ("cpu_us", "p50_ms", "p99_ms"))
    return f"server CPU {cpu:.0f} µs a request, p50 {middle:.2f} ms, p99 {last:.1f} ms"


def against(
    ours: Sequence[Run], theirs: Sequence[Run], floor: float | None = None, goal: float | None = None, *, times: str = "x this"
) -> str:
    """The ratio of ours to theirs, with what was to be reached."""
    wanted = f" (floor {floor:g}, goal {goal:g})" if floor else ""
    return f"ours {ratio(ours, theirs):.2f} {times}{wanted}"


@contextlib.contextmanager
def started(command: Sequence[object], port: int, log: Path, **options) -> Iterator[int]:
    """A server as a process in a session of its own, from when it listens; gives its process id."""
    with log.open("ab") as output:
        process = subprocess.Popen([*map(str, command)], stdout=output, stderr=output, start_new_session=True, **options)
        try:
            wait_for(lambda: listens(port), alive=lambda: _alive(process, log))
            yield process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _alive(process: "subprocess.Popen[bytes]", log: Path) -> None:
    assert process.poll() is None, log.read_text()[-3000:]


def listens(port: int) -> bool:
    """Whether somebody listens on the port; without a connection, see SCRIPT."""
    wanted = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[1].endswith(wanted):
                return True
    return False
