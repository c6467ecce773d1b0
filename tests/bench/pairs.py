"""A house with two of each process of the portal behind its reverse proxies, which are killed and started again."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from siths_portal.dev import nginx, programs, steps
from siths_portal.dev.probes import api_is_ready, is_ready
from siths_portal.dev.programs import Program
from siths_portal.lib.processes.table import BY_NAME
from tests.bench.processes import weigh
from tests.e2e.stage import Stage, StageHouse, started
from tests.waiting import wait_for

SINGLE = {"beat", "metrics"}
"""Processes of which there is one (docs/scale.md)."""
LEFT_OUT = {"idp", "eid-app", "access-point", "mail"}
SECOND_PORTS = {"ocspd": 4, "pki-worker": 92}
"""Ports of second processes, as offsets from PORT_BASE."""
NEEDED_WEIGHT = 1000
"""The CPU weight of PostgreSQL and Redis, as in the compose file."""
BEHIND = {"people-front": "portal", "login-front": "login", "nginx": "api", "status-front": "ocspd"}
"""The process of the table behind each proxy. There are two of it, so the proxy has the CPU weight of both."""
CELERY_IS_READY = b" ready."
"""What a worker logs when it takes tasks."""


class PairHouse(StageHouse):
    """A house whose reverse proxies know two processes of each kind."""

    def second_socket(self, name: str) -> Path:
        """The socket of the second process `name`."""
        return self.socket(name).with_name(f"{name}-2.sock")

    def second_port(self, name: str) -> int:
        """The port of the second process `name`, a key of SECOND_PORTS."""
        return self.port_base + SECOND_PORTS[name]

    @property
    def portal_workers(self) -> int:
        """Processes of each of the two portals: one, as in a pod, so one for each core (ADR 0352)."""
        return 1

    def sockets(self, name: str) -> list[str]:
        return [str(self.socket(name)), str(self.second_socket(name))]

    @property
    def ocspd_ports(self) -> list[int]:
        return [self.port("ocspd"), self.second_port("ocspd")]


def second(house: PairHouse, first: Program) -> Program:
    """The second process beside `first`, with a socket, a port and a name of its own."""
    name, socket, ready = first.name, first.socket, first.ready
    swapped = {f"{name}@{house.id}": f"{name}-2@{house.id}"}
    if socket:
        own = house.second_socket(name)
        swapped[str(socket)], socket, ready = str(own), own, lambda: api_is_ready(own)
    if name in SECOND_PORTS:
        port = house.second_port(name)
        swapped[f"127.0.0.1:{house.port(name)}"] = f"127.0.0.1:{port}"
        ready = (lambda: is_ready(port)) if first.ready else None
    env = {key: swapped.get(value, value) for key, value in first.env.items()}
    return replace(
        first, name=f"{name}-2", command=[swapped.get(word, word) for word in first.command], env=env, socket=socket, ready=ready
    )


def all_processes(house: PairHouse) -> list[Program]:
    """The processes of the table, each but SINGLE with a second one, and the directory simulator and proxies without TLS."""
    firsts = [one for one in programs.application_programs(house) if one.name not in LEFT_OUT]
    return [*firsts, *(second(house, one) for one in firsts if one.name in BY_NAME and one.name not in SINGLE)]


@dataclass
class Pairs:
    """The running house. `killable` has its processes by name."""

    stage: Stage
    killable: dict[str, Program]

    def kill(self, name: str) -> None:
        """Kills a process with all that it started, as the kernel kills a container."""
        child = self.stage.running.pop(name)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def start_again(self, name: str) -> float | None:
        """Starts a killed process as its supervisor does, and returns the seconds until it can be used, if it tells that."""
        began, program, log = time.monotonic(), self.killable[name], self.stage.log(name)
        if program.socket:
            program.socket.unlink(missing_ok=True)  # as `siths_portal.dev.launch`
        at = log.stat().st_size
        self.stage.launch(program)
        weigh(self.stage.running[name].pid, weight_of(name))  # as its supervisor, before it works
        self.stage.wait_for(program)
        is_worker = "worker" in program.command
        if is_worker:
            wait_for(lambda: CELERY_IS_READY in log.read_bytes()[at:], name)
        return time.monotonic() - began if program.ready or is_worker else None


def weight_of(name: str) -> int:
    """The CPU weight of a process of the table, the first or the second, of their proxies, and of what all of them need."""
    if name in BEHIND:
        return 2 * BY_NAME[BEHIND[name]].cpu_weight
    process = BY_NAME.get(name.removesuffix("-2"))
    return process.cpu_weight if process else NEEDED_WEIGHT


@contextmanager
def pairs() -> Iterator[Pairs]:
    """The house with demo people and a CA, two of each process, and the reverse proxies."""
    with started(lambda _house: (), ceremony=True, kind=PairHouse) as stage:
        house = stage.house
        assert isinstance(house, PairHouse)
        nginx.write_status(house)
        everything = all_processes(house)
        stage.start(*everything)
        steps.manage("TLS", "demo_tls").work(house)
        nginx.write(house)
        nginx.write_login(house)
        stage.start(*(one for one in programs.outer_programs(house) if one.name in ("nginx", "login-front")))
        killable = {one.name: one for one in everything if one.name.removesuffix("-2") in BY_NAME}
        for name, child in stage.running.items():
            weigh(child.pid, weight_of(name))
        yield Pairs(stage, killable)
