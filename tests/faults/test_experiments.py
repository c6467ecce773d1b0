"""The table of fault experiments names tests that exist and count, every fault and every named point; the document shows it."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

from siths_portal.lib.processes.table import PROCESSES
from tests.faults import report
from tests.faults.experiments import EXPERIMENTS, KEEPS_NOTHING, Experiment
from tests.faults.tally import PROPERTY
from tests.test_requirements import names_in

ROOT = Path(settings.BASE_DIR)
APPS = ("siths_portal", "authn", "pki", "issuance", "billing")
COUNTED_ELSEWHERE = {"count", "count_orders", "count_revocations", "check", "check_activated_once", "activate_with_a_death"}
"""Functions of test files that get the tally of a test and count its run."""


@cache
def parsed(path: Path) -> ast.Module:
    """The file's syntax tree, made once."""
    return ast.parse(path.read_text())


def function(reference: str) -> ast.FunctionDef:
    """The test's function. Raises StopIteration if there is none."""
    path, *names = reference.split("::")
    found: ast.Module | ast.ClassDef | ast.FunctionDef = parsed(ROOT / path)
    for name in names:
        found = next(node for node in found.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name)
    assert isinstance(found, ast.FunctionDef)
    return found


def counts(reference: str) -> bool:
    """Whether the test takes the tally and calls something with it."""
    node = function(reference)
    called = {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call) and "tally" in ast.unparse(call)}
    takes = "tally" in {argument.arg for argument in node.args.args}
    return takes and bool(called & ({"tally.run"} | COUNTED_ELSEWHERE))


def points_of_the_code() -> set[str]:
    """Every named point, with each value of a format for an expression in its name."""
    found = set()
    for path in (file for app in APPS for file in (ROOT / app).rglob("*.py")):
        found |= set(re.findall(r'faults\.point\(f?"([^"]+)"\)', path.read_text()))
    found.remove("billing.render.{file_format.value}")
    return found | {"billing.render.peppol", "billing.render.pdf"}


def test_every_fault_has_an_experiment_in_order() -> None:
    rows = [each.requirement for each in EXPERIMENTS]
    assert rows == sorted(rows)
    assert set(rows) == {f"F{number:02}" for number in range(1, 21)}


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: f"{each.requirement}-{each.fault}")
def test_an_experiment_names_tests_that_exist_and_count(experiment: Experiment) -> None:
    for reference in experiment.tests:
        path, _, test = reference.partition("::")
        assert test in names_in(ROOT / path), f"{path} has no {test}"
    assert any(counts(reference) for reference in experiment.tests), "no test counts losses and doubles"


def test_every_named_point_kills_in_one_experiment() -> None:
    named = Counter(point for each in EXPERIMENTS for point in each.points)
    assert set(named) == points_of_the_code()
    assert set(named.values()) == {1}


def test_every_process_is_killed_or_keeps_nothing() -> None:
    killed = {name for each in EXPERIMENTS for name in each.processes}
    assert killed.isdisjoint(KEEPS_NOTHING)
    assert killed | set(KEEPS_NOTHING) == {process.name for process in PROCESSES}


def test_the_document_shows_the_declared_table() -> None:
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split(" | "))
        for line in (ROOT / "docs" / "faults.md").read_text().splitlines()
        if re.match(r"\| F\d\d \|", line)
    ]
    assert [row[: len(report.DECLARED)] for row in rows] == [report.declared(each) for each in EXPERIMENTS]
    assert all(len(row) == len(report.DECLARED + report.COUNTED) for row in rows)


class _Phase:
    """What pytest reports of one phase of a test."""

    def __init__(self, nodeid: str, *runs: tuple[int, int], failed: bool = False, when: str = "call") -> None:
        self.nodeid, self.failed, self.when = nodeid, failed, when
        self.user_properties = [(PROPERTY, run) for run in runs]


NOT_RUN = ("0", "-", "-", "not run")
ONE, OTHER = (Experiment("F01", fault, "act", "load", "checker", (f"tests/t.py::{fault}",)) for fault in ("one", "other"))
BOTH = Experiment("F01", "both", "act", "load", "checker", ONE.tests + OTHER.tests)


@pytest.mark.parametrize(
    ("phases", "cells"),
    [
        ([], NOT_RUN),
        ([_Phase("tests/t.py::one[a]", (0, 0)), _Phase("tests/t.py::one[b]", (0, 0), (0, 0))], ("3", "0", "0", "ok")),
        ([_Phase("tests/t.py::one", (2, 0), failed=True)], ("1", "2", "0", "1 failed")),
        ([_Phase("tests/t.py::one", (0, 1), failed=True)], ("1", "0", "1", "1 failed")),
        ([_Phase("tests/t.py::one")], ("0", "-", "-", "not counted")),
        (
            [_Phase("tests/t.py::one", (0, 0)), _Phase("tests/t.py::one", failed=True, when="teardown")],
            ("1", "0", "0", "1 failed"),
        ),
        ([_Phase("tests/t.py::another", (1, 1), failed=True)], NOT_RUN),
        ([_Phase("tests/t.py::one", failed=True, when="setup")], ("0", "-", "-", "1 failed")),
    ],
)
def test_the_report_counts_runs_losses_and_doubles(phases: list[_Phase], cells: tuple[str, ...]) -> None:
    collected = report.Report([ONE, OTHER])
    for phase in phases:
        collected.pytest_runtest_logreport(phase)  # type: ignore[arg-type]
    assert collected.results[ONE].cells() == cells
    assert collected.results[OTHER].cells() == NOT_RUN


def test_an_experiment_is_not_ok_before_all_its_tests_ran() -> None:
    collected = report.Report([BOTH])
    collected.pytest_runtest_logreport(_Phase(ONE.tests[0], (0, 0)))  # type: ignore[arg-type]
    assert collected.results[BOTH].verdict == "1 of 2 tests"
    collected.pytest_runtest_logreport(_Phase(OTHER.tests[0]))  # type: ignore[arg-type]
    assert collected.results[BOTH].cells() == ("1", "0", "0", "ok")


def test_what_the_checker_found_is_told() -> None:
    collected = report.Report([ONE])
    said = [collected.checker]
    for failed in (False, True, False):
        collected.pytest_runtest_logreport(_Phase(f"{report.CHECKER}::test", failed=failed))  # type: ignore[arg-type]
        said.append(collected.checker)
    assert said == ["was not asked to find", "finds", "does not find", "does not find"]
