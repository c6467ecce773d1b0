"""A pytest plugin that repeats failed tests once, in a new process without other tests, at the end of a run (ADR 0210).

A test that then passes is FLAKY: the run prints its first failure and may be green. A test that fails twice is red.
If collection, a test process or pytest itself failed, no test is repeated and the run stays red.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RESULTS = "SITHS_REPEAT_RESULTS"
"""The variable with the file for the repeating process's results: JSON that maps a node id to the failure's text, or ""."""
MOST_FAILURES = "10"
"""The number of failures that ends the repetition. Tests that are not repeated stay red."""
PHASES = {"setup", "call", "teardown"}
_environment = dict(os.environ)  # a copy from before conftest files and plugins change it


def pytest_configure(config: pytest.Config) -> None:
    """Registers Results in the repeating process, and Repeater in that of a run."""
    if results := _environment.pop(RESULTS, ""):
        os.environ.pop(RESULTS)
        config.pluginmanager.register(Results(Path(results)))
    else:
        config.pluginmanager.register(Repeater(config))


class Results:
    """Writes the result of each test."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._passed: dict[str, set[str]] = {}
        self._failures: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Records one phase of a test."""
        if report.passed:
            self._passed.setdefault(report.nodeid, set()).add(report.when)
        elif report.failed:
            self._failures.setdefault(report.nodeid, report.longreprtext)

    def pytest_sessionfinish(self) -> None:
        """Writes the file. A skipped or interrupted test has no result."""
        passed = {test: "" for test, phases in self._passed.items() if phases == PHASES}
        self._file.write_text(json.dumps(passed | self._failures))


class Repeater:
    """Repeats the failed tests before pytest counts them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._failed: list[pytest.TestReport] = []
        self._flaky: list[pytest.TestReport] = []
        self._crashed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps failures of tests. A process that died is reported as a failure without a phase."""
        if report.failed:
            self._failed.append(report)
            self._crashed |= report.when not in PHASES

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """Repeats failed tests and removes flaky ones from the failures of the run."""
        outcome = yield
        if self._failed and not self._crashed and session.testsfailed == len(self._failed):
            results = self._repeat(list(dict.fromkeys(report.nodeid for report in self._failed)))
            self._flaky = [report for report in self._failed if results.get(report.nodeid) == ""]
            for report in self._failed:
                if again := results.get(report.nodeid):
                    report.sections.append(("Failed again, alone in a fresh process", again))
            session.testsfailed -= len(self._flaky)
            self._count_as_flaky()
        return outcome

    def _repeat(self, tests: list[str]) -> dict[str, str]:
        """Runs the tests in a new process with this run's seed. Returns their results, or {} if the process itself fails."""
        reporter = self._reporter()
        reporter.ensure_newline()
        reporter.write_line(f"Failed: {len(tests)}. Each is repeated once, alone, in a fresh process.")
        reporter.flush()
        command = [sys.executable, "-m", "pytest", "-p", __name__, "--rootdir", str(self._config.rootpath)]
        command += ["-c", str(self._config.inipath)] if self._config.inipath else []
        command += [f"--randomly-seed={self._seed()}"] if self._config.pluginmanager.hasplugin("randomly") else []
        with tempfile.TemporaryDirectory(prefix="siths-repeat-") as folder:
            results = Path(folder) / "results.json"
            done = subprocess.run(
                [*command, "--maxfail", MOST_FAILURES, *tests],
                cwd=self._config.rootpath,
                env=_environment | {RESULTS: str(results)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
            if done.returncode in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                return dict(json.loads(results.read_text()))
        reporter.write_line(f"The repetition ended with {done.returncode}:\n{done.stdout}")
        return {}

    def _seed(self) -> Any:
        return self._config.getoption("randomly_seed", None)

    def _reporter(self) -> Any:
        return self._config.pluginmanager.get_plugin("terminalreporter")

    def _count_as_flaky(self) -> None:
        stats = self._reporter().stats
        flaky = {id(report) for report in self._flaky}
        for outcome in list(stats):
            stats[outcome] = [each for each in stats[outcome] if id(each) not in flaky]
        stats["flaky"] = list({report.nodeid: report for report in self._flaky}.values())
        for outcome in [outcome for outcome in stats if not stats[outcome]]:
            del stats[outcome]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Prints each flaky test with its first failure."""
        if self._flaky:
            terminalreporter.write_sep("=", "FLAKY: failed, then passed alone")
        for report in self._flaky:
            terminalreporter.write_sep("_", f"FLAKY {report.nodeid} ({report.when})")
            report.toterminal(terminalreporter._tw)
            for name, text in report.sections:
                terminalreporter.write_sep("-", name)
                terminalreporter.write_line(text)
        for test in dict.fromkeys(report.nodeid for report in self._flaky):
            terminalreporter.write_line(f"FLAKY {test}")
