"""A pytest plugin that loads the tests once and runs their files in forked processes: `--processes N` (ADR 0210).

pytest-xdist starts processes that each load every test; here that would cost a tenth of a run's processor time. A forked process
has what the first process loaded, and opens what it needs in `pytest_process_start`. It asks for a file when it has finished one.
A process that dies makes its test red; another process goes on with the tests after it.
"""

import os
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

BEGIN, REPORT, END, ASK = "begin", "report", "end", "ask"


class Hooks:
    """What this plugin tells others."""

    def pytest_process_start(self, config: pytest.Config, number: int) -> None:
        """Called in a forked process, numbered from 0, before its first test."""

    def pytest_process_end(self, config: pytest.Config) -> None:
        """Called in a forked process after its last test."""


@dataclass
class _Process:
    """A forked process as the first process sees it."""

    pid: int
    line: Connection
    files: deque[int] = field(default_factory=deque)
    running: int | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the number of processes."""
    parser.addoption("--processes", type=int, default=0, help="run the files of tests in so many forked processes")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Adds the hooks of this plugin."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Registers what runs the tests, if processes are asked for."""
    if config.getoption("processes") and not config.getoption("collectonly"):
        config.pluginmanager.register(Runner(config))


class Runner:
    """Hands the files to processes, in the order of the collected tests, and takes their reports as its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._items: list[pytest.Item] = []
        self._waiting: deque[list[int]] = deque()
        self._processes: dict[Connection, _Process] = {}
        self._started = 0

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Runs all tests. Leaves it to pytest if the collection failed."""
        if session.testsfailed:
            return None
        self._items = session.items
        numbers = range(len(self._items))
        self._waiting = deque(list(file) for _, file in groupby(numbers, key=lambda number: self._items[number].path))
        self._config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        for _ in range(min(self._config.getoption("processes"), len(self._waiting))):
            self._start(session)
        while self._processes:
            for ready in connection.wait(list(self._processes)):
                assert isinstance(ready, Connection)
                self._take(session, self._processes[ready])
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        return True

    def _start(self, session: pytest.Session) -> None:
        ours, theirs = connection.Pipe()
        number, self._started = self._started, self._started + 1
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            for process in self._processes.values():
                process.line.close()
            ours.close()
            _Forked(self._config, session, theirs, number).run()
        theirs.close()
        self._processes[ours] = _Process(pid, ours)

    def _take(self, session: pytest.Session, process: _Process) -> None:
        try:
            what, value = process.line.recv()
        except (EOFError, ConnectionResetError):
            self._ended(session, process)
            return
        hook = self._config.hook
        if what == BEGIN:
            process.running = value
            item = self._items[value]
            hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        elif what == REPORT:
            hook.pytest_runtest_logreport(report=hook.pytest_report_from_serializable(config=self._config, data=value))
        elif what == END:
            item = self._items[value]
            process.files.popleft()
            process.running = None
            hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        elif self._waiting and not session.shouldfail and not session.shouldstop:
            process.files.extend(file := self._waiting.popleft())
            process.line.send(file)
        else:
            process.line.send(None)

    def _ended(self, session: pytest.Session, process: _Process) -> None:
        """Counts a process that died as a failure of its test, and lets another one run the rest of its file."""
        del self._processes[process.line]
        _, status = os.waitpid(process.pid, 0)
        if not status:
            return
        item = self._items[process.running if process.running is not None else process.files[0] if process.files else 0]
        place = str(item.path), None, item.nodeid
        text = f"the test process ended with {os.waitstatus_to_exitcode(status)}"
        report = pytest.TestReport(item.nodeid, place, {}, "failed", text, "process")  # type: ignore[arg-type]
        self._config.hook.pytest_runtest_logreport(report=report)
        if process.running is not None:
            process.files.popleft()
        if process.files:
            self._waiting.appendleft(list(process.files))
        if self._waiting and process.running is not None:
            self._start(session)


class _Forked:
    """The run in a forked process."""

    def __init__(self, config: pytest.Config, session: pytest.Session, line: Connection, number: int) -> None:
        self._config, self._session, self._line, self._number = config, session, line, number

    def run(self) -> None:
        """Runs files until there are none left, and ends the process."""
        status = 1
        try:
            self._leave_the_first_process()
            self._config.hook.pytest_process_start(config=self._config, number=self._number)
            try:
                self._run_files()
                status = 0
            finally:
                self._config.hook.pytest_process_end(config=self._config)
        except BaseException:  # noqa: BLE001  (the first process sees that this one failed)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _leave_the_first_process(self) -> None:
        """Gives this process a folder and captured output of its own, and leaves what is printed to the first process."""
        plugins = self._config.pluginmanager
        plugins.unregister(name="terminalreporter")
        plugins.register(self)
        capture: Any = plugins.getplugin("capturemanager")
        capture.stop_global_capturing()
        with Path(os.devnull).open("r+") as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(nothing.fileno(), 1)
        capture.start_global_capturing()
        capture.suspend_global_capture(in_=True)
        temporary = self._config._tmp_path_factory  # type: ignore[attr-defined]
        temporary._basetemp = temporary.getbasetemp() / f"process-{self._number}"
        temporary._basetemp.mkdir(mode=0o700)

    def _run_files(self) -> None:
        items = self._session.items
        # Between files everything is torn down but what belongs to the session.
        nothing: Any = SimpleNamespace(listchain=lambda: [self._session], path=None)
        while file := self._next_file():
            following: Iterable[Any] = [*(items[number] for number in file[1:]), nothing]
            for number, after in zip(file, following, strict=True):
                self._line.send((BEGIN, number))
                self._config.hook.pytest_runtest_protocol(item=items[number], nextitem=after)
                self._line.send((END, number))
                if self._session.shouldfail or self._session.shouldstop:
                    return
        self._session._setupstate.teardown_exact(None)

    def _next_file(self) -> Sequence[int] | None:
        self._line.send((ASK, None))
        file: Sequence[int] | None = self._line.recv()
        return file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Sends the report to the first process."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._line.send((REPORT, data))
