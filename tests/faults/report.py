"""A pytest plugin that runs the fault experiments and writes their table: `-p tests.faults.report`.

Without arguments it runs the tests of the table. First run those by which the checker finds planted losses and doubles; if it
does not find them, the run ends there. It writes `var/faults/faults.md`, which `docs/faults.md` holds of the last long run, and
prints the same as text. The run is red if a test fails, or if an experiment counted no run.
"""

import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.faults.experiments import EXPERIMENTS, Experiment
from tests.faults.tally import PROPERTY

DECLARED = ("requirement", "fault", "what is done", "load", "what the checker compares")
COUNTED = ("runs", "losses", "doubles", "result")
CHECKER = "tests/faults/test_tally.py"
"""The tests of the checker, which run first."""
_WIDTHS = (5, 32, 6, 6, 7, 14)


@dataclass
class Result:
    """The runs of one experiment, and those of its tests that ran and that failed."""

    tests: frozenset[str]
    runs: list[tuple[int, int]] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    @property
    def verdict(self) -> str:
        """`ok` if every test of the experiment passed and a run was counted, none with a loss or a double; else what is wrong."""
        if self.failed:
            return f"{len(self.failed)} failed"
        if not self.ran:
            return "not run"
        if self.ran < self.tests:
            return f"{len(self.ran)} of {len(self.tests)} tests"
        return "ok" if self.runs and all(run == (0, 0) for run in self.runs) else "not counted"

    def cells(self) -> tuple[str, str, str, str]:
        """The counted columns. An experiment that counted no run has no losses and doubles to state."""
        if not self.runs:
            return "0", "-", "-", self.verdict
        losses, doubles = (sum(column) for column in zip(*self.runs, strict=True))
        return str(len(self.runs)), str(losses), str(doubles), self.verdict


def result_of(experiment: Experiment) -> Result:
    """The result of an experiment before any of its tests ran."""
    return Result(frozenset(experiment.tests))


def declared(experiment: Experiment) -> tuple[str, ...]:
    """The cells of an experiment that do not depend on a run."""
    return experiment.requirement, experiment.fault, experiment.act, experiment.load, experiment.checker


def markdown(results: Mapping[Experiment, Result]) -> str:
    """The table of all experiments for `docs/faults.md`."""
    rows = [(*declared(each), *(results.get(each) or result_of(each)).cells()) for each in EXPERIMENTS]
    lines = [DECLARED + COUNTED, ("---",) * len(DECLARED + COUNTED), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def text(results: Mapping[Experiment, Result]) -> str:
    """The counted columns of all experiments for a terminal."""
    rows: list[Sequence[str]] = [("", "fault", *COUNTED)]
    rows += [(each.requirement, each.fault, *(results.get(each) or result_of(each)).cells()) for each in EXPERIMENTS]
    return "\n".join(line for row in rows for line in _text_row(row))


def _text_row(row: Sequence[str]) -> Iterator[str]:
    """The lines of a row: its second cell is wrapped, the others stand in the first line."""
    first, *more = textwrap.wrap(row[1], _WIDTHS[1])
    cells = (row[0], first, *row[2:])
    yield "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()
    yield from (" " * (_WIDTHS[0] + 2) + line for line in more)


def function_of(node_id: str) -> str:
    """The test's function as the table names it, without parameters."""
    return node_id.partition("[")[0]


class Report:
    """Collects the runs of the experiments from the reports of their tests."""

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        self.results = {each: result_of(each) for each in experiments}
        self.checker = "was not asked to find"
        self._session: pytest.Session | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> Iterator[None]:
        """Puts the tests of the checker before all others, whatever order those have."""
        self._session = session
        yield
        items.sort(key=lambda item: not item.nodeid.startswith(CHECKER))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the runs of a test's call, and failures of each of its phases. Ends the run if the checker fails."""
        function = function_of(report.nodeid)
        if function.startswith(CHECKER):
            self._judge_checker(report)
        for experiment, result in self.results.items():
            if function not in experiment.tests:
                continue
            if report.failed:
                result.failed.add(report.nodeid)
            if report.when == "call":
                result.ran.add(function)
                result.runs += [tuple(value) for name, value in report.user_properties if name == PROPERTY]

    def _judge_checker(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.checker = "does not find"
            if self._session is not None:
                self._session.shouldfail = "the checker does not find what was planted"
        elif report.when == "call" and self.checker != "does not find":
            self.checker = "finds"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes the table. Makes a whole run red in which an experiment was not good."""
        folder = session.config.rootpath / "var" / "faults"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "faults.md").write_text(markdown(self.results))
        is_whole = not session.config.option.file_or_dir
        if is_whole and session.exitstatus == pytest.ExitCode.OK and any(each.verdict != "ok" for each in self.results.values()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints the table."""
        form = "long" if os.environ.get("SITHS_LONG") else "short"
        terminalreporter.section(f"fault experiments, {form} form")
        terminalreporter.line(f"The checker {self.checker} a planted loss and a planted double.")
        terminalreporter.line(text(self.results))


def pytest_configure(config: pytest.Config) -> None:
    """Registers the report, and selects the tests of the table unless the command names others."""
    config.pluginmanager.register(Report(EXPERIMENTS))
    if not config.option.file_or_dir:
        named = sorted({test for each in EXPERIMENTS for test in each.tests})
        config.args = [str(config.rootpath / test) for test in (CHECKER, *named)]
