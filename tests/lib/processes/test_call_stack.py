"""`siths_portal.lib.processes.call_stack`: calls inside find their room mapped."""

import resource
from concurrent.futures import ThreadPoolExecutor

import pytest

from siths_portal.lib.processes.call_stack import with_room

LOOPS = 200
DEPTHS = 300


def faults_of_loops() -> list[int]:
    """The page faults of a loop of calls at each of many depths."""

    def leaf(first: int, second: int) -> int:
        third, fourth = first + second, first - second
        return third * fourth

    def at(depth: int) -> int:
        if depth:
            return at(depth - 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for number in range(LOOPS):
            leaf(number, 1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    return [at(depth) for depth in range(DEPTHS)]


def test_no_loop_maps_memory_again_and_again() -> None:
    with ThreadPoolExecutor(1) as thread:  # a stack of its own: the tests' own has room already
        assert max(thread.submit(with_room, faults_of_loops).result()) < LOOPS / 4


def test_the_tests_run_with_room() -> None:
    assert max(faults_of_loops()) < LOOPS / 4


def test_results_and_errors_come_through() -> None:
    assert with_room(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        with_room(lambda: 1 // 0)
