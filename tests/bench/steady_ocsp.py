"""wrk at an even pace: connections ask one after the other, as many a second as are wanted.

The rate falls only if all connections wait for an answer. The script makes up for at most a second of missed questions.

`tests.bench.paced` does the same in Python, which is too slow for thousands a second.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import required

LONGEST_MS = 30
"""Milliseconds that an answer may take on average before the rate falls: there are connections for as many."""

# Arguments: the rate a second, and the requests' file, a line `P` and a body in hex for each. An answer is right if its HTTP
# status is 200 and its responseStatus `successful`, and late if it is `tryLater`.
SCRIPT = """
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds, nanoseconds; } moment; int clock_gettime(int clock, moment *now);")
local requests, threads, moment = {}, {}, ffi.new("moment")
local rate, sent, began = 0, 0, nil
wrong, late = 0, 0
local function milliseconds()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.seconds) * 1000 + tonumber(moment.nanoseconds) / 1e6
end
local function octets(text)
  return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end
function setup(thread) threads[#threads + 1] = thread end
function init(args)
  rate = tonumber(args[1])
  for line in io.lines(args[2]) do
    local headers = {["Content-Type"] = "application/ocsp-request"}
    requests[#requests + 1] = wrk.format("POST", "/ocsp", headers, octets(line:sub(3)))
  end
end
function delay()
  local now = milliseconds()
  began, sent = began or now, sent + 1
  local wait = began + sent * 1000 / rate - now
  if wait < -1000 then began = began - wait - 1000 end
  return math.max(0, math.floor(wait))
end
function request() return requests[math.random(#requests)] end
function response(status, headers, body)
  if status == 200 and body == "\\48\\3\\10\\1\\3" then late = late + 1
  elseif status ~= 200 or not body:sub(3, 8):find("\\10\\1\\0", 1, true) then wrong = wrong + 1 end
end
function done(summary, latency)
  local errors = summary.errors.read + summary.errors.write + summary.errors.connect + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %f %f\\n", summary.requests, summary.duration, errors,
    threads[1]:get("wrong"), threads[1]:get("late"), latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


@dataclass(frozen=True)
class Told:
    """Answers a second, connections that failed, wrong and late answers, and milliseconds."""

    rate: float
    failed: int
    wrong: int
    late: int
    p50: float
    p99: float


class Steady:
    """A run of about `rate` requests a second for `seconds`, which begins at once."""

    def __init__(self, url: str, requests: Path, rate: int, seconds: int) -> None:
        script = requests.with_name("steady.lua")
        script.write_text(SCRIPT)
        connections = max(1, rate * LONGEST_MS // 1000)
        command: Sequence[object] = [
            required("wrk", "wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, url, "--", rate, requests
        ]  # fmt: skip
        self._wrk = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def told(self) -> Told:
        """Waits for the end and returns what was found."""
        said, _ = self._wrk.communicate(timeout=300)
        found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+)", said)
        assert found, said
        requests, duration, failed, wrong, late = (int(found[number]) for number in range(1, 6))
        return Told(requests / duration * 1e6, failed, wrong, late, float(found[6]), float(found[7]))
