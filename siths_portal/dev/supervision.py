"""Starting and stopping the house's processes through its one supervisor."""

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
ALREADY_SO = {60, 70}  # supervisord's faults ALREADY_STARTED and NOT_RUNNING: the process was quicker than the question


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return UnixConnection(self._path, timeout=120)


class Supervisor:
    """The supervisord of one house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.folder = house.var / "supervisor"
        self.socket = house.runtime / "supervisor.sock"

    @property
    def programs(self) -> list[Program]:
        """Every process of the house, with the configuration that is written now."""
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
        """Starts supervisord, or gives a running one the present configuration; changed programs are ended for a new start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.house.var / "log").mkdir(exist_ok=True)
        nginx.write(self.house)
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
        """Asks all of `names` to end at once, then waits for them: one after the other would take their sum."""
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
            if fault.faultCode not in ALREADY_SO:
                raise HouseError(f"supervisord, {method} {arguments[0]}: {fault.faultString}") from fault

    def states(self) -> dict[str, str]:
        """Each program's state, in supervisord's words."""
        return {info["name"]: info["statename"] for info in self._rpc.getAllProcessInfo()}

    def bring_up(self, wanted: Iterable[Program]) -> None:
        """Starts those of `wanted` that do not run, all at once, and waits until each can be used."""
        wanted = list(wanted)
        users.hand_over(self.house)
        states = self.states()
        for program in wanted:
            if states[program.name] in DEAD:
                self._ask("startProcess", program.name, False)
        for program in wanted:
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
        """Ends every process that this house started, waits for it, and says whether there was any."""
        pid = self.pid()
        if pid is not None:
            # In two goes, so that nothing loses its database while it ends. supervisord's own shutdown takes a second a program.
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
    """Processes of this house that outlived their supervisor, and the postmaster among them.

    Found by our mark, or by pid file where a program has written over its environment. A pid file's process counts only if its
    command line names this house's own folder, since ids are reused.
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
    """Ends processes of this house that no supervisor keeps any more, and says whether there were any."""
    pids, postmasters = _leftovers(house)
    processes.end(pids, seconds=30, interrupt=postmasters)
    return bool(pids)
