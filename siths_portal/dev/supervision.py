"""Starts and stops the processes of the development environment through supervisord."""

import http.client
import os
import shutil
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from siths_portal.dev import nginx, processes, programs, users
from siths_portal.dev.home import House, base_env, taken_ports
from siths_portal.dev.launch import HOUSE
from siths_portal.dev.probes import UnixConnection
from siths_portal.dev.programs import Program
from siths_portal.dev.progress import HouseError, run_logged, wait_for

DEAD = {"FATAL", "EXITED", "STOPPED", "UNKNOWN"}
ALREADY_DONE = {60, 70}  # supervisord's faults ALREADY_STARTED and NOT_RUNNING


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return UnixConnection(self._path, timeout=120)


class Supervisor:
    """The supervisord of one development environment."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.folder = house.var / "supervisor"
        self.socket = house.runtime / "supervisor.sock"

    @property
    def programs(self) -> list[Program]:
        """Every program, with the present configuration."""
        return programs.all_programs(self.house)

    @property
    def _rpc(self) -> Any:
        return xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(str(self.socket))).supervisor

    def pid(self) -> int | None:
        """The process id of the running supervisord, or None."""
        try:
            return int(self._rpc.getPID())
        except (OSError, http.client.HTTPException):
            return None

    def start(self) -> str | None:
        """Starts supervisord, or reloads the configuration of a running one and ends changed programs. May return a note."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.house.var / "log").mkdir(exist_ok=True)
        nginx.write(self.house)
        nginx.write_login(self.house)
        nginx.write_status(self.house)
        nginx.write_people(self.house)
        configuration = self.folder / "supervisord.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(programs.configuration(self.house, self.programs))
        if self.pid() is not None:
            return self._reload()
        end_leftovers(self.house)
        if not self.house.held and (taken := taken_ports(self.house.port_base)):
            raise HouseError(
                f"Port {', '.join(map(str, taken))} is taken by a process that is not this clone's. End it, or start with "
                "another PORT_BASE (this clone's certificates carry its ports: remove var/ first)."
            )
        command = [str(self.house.python), "-m", "supervisor.supervisord", "-c", str(configuration)]
        if os.geteuid() == 0:
            command += ["-u", "root"]
        run_logged(command, self.house.var / "log" / "setup.log", cwd=self.house.root, env=base_env())
        wait_for(lambda: self.pid() is not None, "supervisord")
        return None

    def _reload(self) -> str | None:
        added, changed, removed = self._rpc.reloadConfig()[0]
        self._end([*removed, *changed])
        for name in [*removed, *changed]:
            self._rpc.removeProcessGroup(name)
        for name in [*added, *changed]:
            self._rpc.addProcessGroup(name)
        return f"{len(changed)} changed" if changed else None

    def _end(self, names: Iterable[str]) -> None:
        """Ends all of `names` at once and waits for them, which is faster than one after the other."""
        states = self.states()
        ending = [name for name in names if states.get(name) not in DEAD]
        for name in ending:
            self._ask("stopProcess", name, False)

        def ended() -> bool:
            now = self.states()
            return all(now[name] in DEAD for name in ending)

        wait_for(ended, "the end of " + ", ".join(ending), seconds=90)

    def _ask(self, method: str, *arguments: Any) -> None:
        try:
            getattr(self._rpc, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in ALREADY_DONE:
                raise HouseError(f"supervisord, {method} {arguments[0]}: {fault.faultString}") from fault

    def states(self) -> dict[str, str]:
        """Returns supervisord's state of each program, by name."""
        return {info["name"]: info["statename"] for info in self._rpc.getAllProcessInfo()}

    def bring_up(self, programs: Iterable[Program]) -> None:
        """Starts those of `programs` that do not run, all at once, and waits until each is ready. Raises HouseError."""
        listed = list(programs)
        users.hand_over(self.house)
        states = self.states()
        for program in listed:
            if states[program.name] in DEAD:
                self._ask("startProcess", program.name, False)
        for program in listed:
            self._await(program)

    def _await(self, program: Program) -> None:
        def alive() -> None:
            if self.states()[program.name] in DEAD:
                raise HouseError(f"{program.name} does not start:\n{self._log_end(program)}")

        def ready() -> bool:
            if self.states()[program.name] != "RUNNING":
                return False
            return program.ready is None or program.ready()

        wait_for(ready, program.name, seconds=90, alive=alive)

    def _log_end(self, program: Program) -> str:
        log = self.house.var / "log" / f"{program.name}.log"
        lines = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else []
        return "\n".join(f"    {line}" for line in lines) + f"\n    (log: {log})"

    def stop(self) -> bool:
        """Ends every process that this clone started and waits for it. Returns whether there was any."""
        pid = self.pid()
        if pid is not None:
            # The data services end last, since the others need them. supervisord's own shutdown would take a second per program.
            self._end(self._names(data=False))
            self._end(self._names(data=True))
            self._rpc.shutdown()
            longest = sum(program.stop_seconds for program in self.programs)
            wait_for(lambda: not processes.running(pid), "supervisord's end", seconds=longest)
        found = end_leftovers(self.house) or pid is not None
        shutil.rmtree(self.house.runtime, ignore_errors=True)
        return found

    def _names(self, *, data: bool) -> list[str]:
        services = {program.name for program in programs.data_services(self.house)}
        return [name for name in self.states() if (name in services) is data]


def _leftovers(house: House) -> tuple[set[int], set[int]]:
    """Returns the processes of this clone that outlived their supervisor, and the postmaster among them.

    They are found by a variable in their environment, or by pid file if a program overwrites its environment. A process of a pid
    file counts only if its command line contains this clone's folder, because process ids are reused.
    """
    found = processes.marked(**{HOUSE: house.id})
    for program in programs.all_programs(house):
        if program.pid_file:
            found |= processes.group(program.pid_file, program.directory or house.root)
    postmasters: set[int] = set()
    for pid_file, sign, kind in (
        (house.postgres.data / "postmaster.pid", house.postgres.data, postmasters),
        (house.redis.folder / "redis.pid", house.runtime, set()),
    ):
        pid = processes.read(pid_file).split(b"\n")[0].strip()
        if pid.isdigit() and str(sign).encode() in processes.read(Path(f"/proc/{int(pid)}/cmdline")):
            kind.add(int(pid))
            found.add(int(pid))
    return found, postmasters


def end_leftovers(house: House) -> bool:
    """Ends processes of this clone without a supervisor. Returns whether there were any."""
    pids, postmasters = _leftovers(house)
    processes.end(pids, seconds=30, interrupt=postmasters)
    return bool(pids)
