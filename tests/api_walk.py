"""A walk through an API: generated calls, one after another, each of which may name what exists or what earlier answers told of.

Every operation is reached with real ids: at the end each has an answer by its own rules, not only "not found".
"""

import contextlib
import itertools
import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, Response
from schemathesis.core.parameters import ParameterLocation

from tests.described import CHECKS

EACH = 13
"""Calls of each operation, at least: some operations are reached only when others have made what they name."""
CALLS = 3000 if os.environ.get("SITHS_LONG") else 0
"""Calls of one walk, at least. `make soak` makes the longer one."""

type Names = dict[str, Any]
"""Values of parameters that belong together, by name: an order and one of its items."""

NOT_REACHED = frozenset({401, 403, 404, 405, 406, 413, 415, 429})
"""Answers that come before the rules of the operation itself."""
_LATEST = 12
_PAUSE = 10


@dataclass
class Walk:
    """The calls of one client. `send` sends a case and returns the answer.

    `known` returns what paths and bodies may name, the latest last; `heard` is told of each success: the operation, what its path
    named, and the JSON.
    `lawful` gives the body that an operation accepts for what the case names and its Idempotency-Key. `meanwhile` does what
    others do between calls: clerks, workers. A client that does not err sends no wrong calls.
    """

    schema: Any
    send: Callable[[Any], Any]
    known: Callable[[], Sequence[Names]] = tuple
    heard: Callable[[str, Names, Any], None] = lambda _operation, _named, _body: None
    lawful: Mapping[str, Callable[[Names, str], Any]] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None
    checks: Sequence[Any] = tuple(CHECKS)
    errs: bool = True
    chance: Random = field(default_factory=lambda: Random(1))
    answers: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    _pages: dict[str, Names] = field(default_factory=dict)
    _tags: dict[str, str] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """How many calls were made."""
        return sum(counted.total() for counted in self.answers.values())

    @property
    def fewest(self) -> int:
        """How many calls were made of the operation that was called least."""
        return min(counted.total() for counted in self.answers.values())

    def go(self) -> None:
        """Makes the calls, as many of each operation, in rounds of all operations. Raises the first failure."""
        operations = [found.ok() for found in self.schema.get_all_operations()]
        each = max(EACH, math.ceil(CALLS / len(operations)))
        generated = [self._generated(operation, each) for operation in operations]
        for cases in zip(*generated, strict=True):
            for case in self.chance.sample(cases, len(cases)):
                self._step(case)

    def _generated(self, operation: Any, count: int) -> list[Any]:
        """Returns cases of one operation. Every third is wrong, if it can be."""
        right = _cases(operation.as_strategy(), count)
        wrong = _cases(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), count // 3) if self.errs else []
        return [wrong[turn // 3] if wrong and turn % 3 == 2 else case for turn, case in enumerate(right)]

    def unreached(self) -> dict[str, Counter[int]]:
        """The operations that gave no answer by their own rules, with the answers that they gave."""
        labels = (found.ok().label for found in self.schema.get_all_operations())
        return {label: self.answers[label] for label in labels if not set(self.answers[label]) - NOT_REACHED}

    def _step(self, case: Any) -> None:
        if self.calls % _PAUSE == _PAUSE - 1:
            self.meanwhile()
        self._name_what_exists(case)
        answer = Response.from_any(self.send(case))
        self.answers[case.operation.label][answer.status_code] += 1
        case.validate_response(answer, checks=list(self.checks))
        self._learn(case, answer)

    def _name_what_exists(self, case: Any) -> None:
        """Puts what exists into the parts of the case that are right. Wrong parts stay as they were generated."""
        operation, rightly = operation_id(case), case.meta.generation.mode.is_positive
        headers, names = _is_right(case, ParameterLocation.HEADER), self._names(case)
        if _is_right(case, ParameterLocation.PATH):
            case.path_parameters = {**case.path_parameters, **_only(names, case.path_parameters)}
        if headers and "Idempotency-Key" in case.headers and not self._seldom():
            case.headers["Idempotency-Key"] = uuid4().hex
        if headers and (tag := self._tags.get(case.formatted_path)) and not self._seldom():
            for name in {"If-Match", "If-None-Match"} & set(case.headers):
                case.headers[name] = tag
        if rightly and case.method == "GET" and operation in self._pages and self.chance.random() < 0.5:
            case.query = {**case.query, **self._pages[operation]}
        if rightly and operation in self.lawful and self.chance.random() < 0.6:
            case.body = self.lawful[operation](names, case.headers.get("Idempotency-Key", ""))
        elif _is_right(case, ParameterLocation.BODY) and isinstance(case.body, dict):
            case.body = {**case.body, **_only(names, case.body)}

    def _names(self, case: Any) -> Names:
        """Something that exists and has all that the case's path names; mostly something new."""
        fitting = [each for each in self.known() if set(case.path_parameters) <= set(each)]
        if not fitting or self._seldom():
            return {}
        return self.chance.choice(fitting if self.chance.random() < 0.25 else fitting[-_LATEST:])

    def _seldom(self) -> bool:
        return self.chance.random() < 0.1

    def _learn(self, case: Any, answer: Any) -> None:
        if tag := answer.headers.get("etag"):
            self._tags[case.formatted_path] = tag[0]
        if answer.status_code >= 300 or "json" not in answer.headers.get("content-type", [""])[0]:
            return
        body, operation = answer.json(), operation_id(case)
        following = {"cursor": body.get("next_cursor"), "after": body.get("next")}
        self._pages[operation] = {name: value for name, value in following.items() if value is not None}
        self.heard(operation, case.path_parameters, body)


def _cases(strategy: Any, count: int) -> list[Any]:
    """Returns so many cases of the strategy, some repeatedly if it has fewer, or none if it has none."""
    found: list[Any] = []

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=strategy)
    def keep(case: Any) -> None:
        found.append(case)

    with contextlib.suppress(Unsatisfiable):
        keep()
    return list(itertools.islice(itertools.cycle(found), count))


def operation_id(case: Any) -> str:
    """The operationId of the case's operation."""
    return str(case.operation.definition.raw["operationId"])


def _is_right(case: Any, location: ParameterLocation) -> bool:
    part = case.meta.components.get(location)
    return part is not None and part.mode.is_positive


def _only(names: Names, wanted: Mapping[str, Any]) -> Names:
    return {name: value for name, value in names.items() if name in wanted}
