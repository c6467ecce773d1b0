"""Asks one row of the matrix of everybody about everything, and says where an answer is not the one that the rules give."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import batched, product
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from issuance.authz import Action
from issuance.authz.roles import ALLOWED, AREA_ROLES, EXTENDED_REACH, GLOBAL_ROLES
from siths_portal.lib import clock
from tests.access.asking import Browser, content, statements, untold
from tests.access.row import PUBLIC, Gate, Key, Row
from tests.access.world import CALLERS, INVOICED, RELATIONS, AccessWorld, Who, undone

ANONYMOUS = None
PORTAL = "siths_portal.wiring.urls_portal"

Questions = dict[Who | None, list[str | None]]
"""About which places each caller is asked, in this order."""


@dataclass(frozen=True)
class Answer:
    """What came: the status, the body and headers without what changes from one request to the next, the queries' shapes."""

    status: int
    location: str
    body: str
    headers: tuple[tuple[str, str], ...]
    queries: tuple[str, ...]


def addresses(urlconf: str | tuple[URLPattern | URLResolver, ...]) -> dict[str, URLPattern]:
    """Every address of a face by its name, or by its route where it has none."""
    found: dict[str, URLPattern] = {}
    for pattern in _patterns(get_resolver(urlconf).url_patterns):
        key = pattern.name or str(pattern.pattern)
        assert key not in found, f"two addresses are called {key}"
        found[key] = pattern
    return found


def _patterns(entries: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for entry in entries:
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns)
        else:
            yield entry


def sees(who: Who, relation: str, right: Action) -> bool:
    """Whether something at that place is in the caller's sight for this: scope flows downward only (rules/issuance 1.1)."""
    if who.role is None or relation == "unknown" or (relation == "protected" and not who.add_on):
        return False
    if right is Action.VIEW and right not in ALLOWED[who.role]:  # a role that looks at nothing has nothing in its sight
        return False
    if who.role in GLOBAL_ROLES:
        return True
    if relation == "opened":  # by an extended search: for seeing and revoking, to who may search so
        return right in EXTENDED_REACH and {right, Action.EXTENDED_SEARCH} <= ALLOWED[who.role]
    if who.role in AREA_ROLES:
        return relation != "outside"
    return relation in ("inside", "child", "protected")


def expected(row: Row, who: Who | None, relation: str | None) -> int:
    """The status that the rules give."""
    if row.right is PUBLIC:
        return row.in_session or row.ok if who is not ANONYMOUS else row.ok
    if who is ANONYMOUS:
        return 302
    if who.role is None:
        return 403
    if isinstance(row.right, Gate):
        return row.ok
    allowed = row.right in ALLOWED[who.role]
    if relation is None:
        return row.ok if allowed else 403
    if row.unseen == 403 and not allowed:
        return 403
    if row.blind and relation == "inside" and not allowed and Action.VIEW not in ALLOWED[who.role]:
        return row.blind
    if row.own:
        return (row.ok if allowed else 403) if relation == "inside" else 404
    if allowed and sees(who, relation, row.right):
        return row.ok
    return 403 if sees(who, relation, Action.VIEW) else 404


def places(row: Row) -> list[str | None]:
    """Where the row's target can lie, "unknown" last; None alone without a target."""
    if row.target is None:
        return [None]
    if row.nowhere:
        return ["inside", "unknown"]
    if row.own:
        return ["inside", "outside", "unknown"]
    if row.target == "invoice":
        return [*INVOICED, "unknown"]
    return list(row.places or RELATIONS)


def relations(row: Row, who: Who | None = CALLERS[0]) -> list[str | None]:
    """The places about which the full walk asks `who`.

    A caller without a role is turned away before anything is looked up, so two places stand for all. Callers with the add-on are
    asked where it can make a difference and once outside their scope: it opens protected persons and nothing else, as
    `test_rules.py` proves of every scoped model.
    """
    there = places(row)
    if row.target is None:
        return there
    if who is ANONYMOUS or who.role is None:
        return [there[0], "unknown"]
    same_by_scope = [relation for relation in there if relation in ("parent", "child", "beside", "opened")]
    if who.add_on and len(same_by_scope) < len(there):
        return [relation for relation in there if relation not in same_by_scope]
    return there


def ask(row: Row, access: AccessWorld, who: Who | None, relation: str | None, *, method: str = "") -> Answer:
    """Sends the request and undoes what it did."""
    return ask_all({who: [row]}, access, relation, method=method)[who][row.key]


def ask_all(
    rows: Mapping[Who | None, Sequence[Row]], access: AccessWorld, relation: str | None, *, method: str = ""
) -> dict[Who | None, dict[Key, Answer]]:
    """Sends the requests of each caller, for rows with one target. Everything is undone."""

    def ask_as(who: Who | None, arguments: tuple[Any, ...]) -> dict[Key, Answer]:
        answers = {}
        for row in rows[who]:
            with undone() if len(rows[who]) > 1 else contextlib.nullcontext():
                answers[row.key] = _answer(row, access, who, (*arguments, *row.more) if arguments else (), method)
        return answers

    one = next(row for those in rows.values() for row in those)
    return for_each(rows, one, access, relation, ask_as)


def for_each[Result](
    callers: Iterable[Who | None],
    row: Row,
    access: AccessWorld,
    relation: str | None,
    act: Callable[[Who | None, tuple[Any, ...]], Result],
) -> dict[Who | None, Result]:
    """Calls `act` for each caller, with the arguments of the address, and undoes what it did.

    What is the same for all is made once, for a caller without a role, who has no actor that a maker could use.
    """
    results = {}
    with undone(), clock.moved_to(access.moment):
        shared = _made(row, access, Who(None), relation) if row.is_same_for_all else None
        for who in callers:
            with undone():
                if relation == "opened" and who is not ANONYMOUS and who.role is not None:
                    access.open_outside(who)
                results[who] = act(who, arguments_of(row, access, who, relation) if shared is None else shared)
    return results


def _answer(row: Row, access: AccessWorld, who: Who | None, arguments: tuple[Any, ...], method: str) -> Answer:
    path = reverse(row.name, args=arguments) if not row.name.startswith("healthz") else f"/{row.name}"
    cookies = {settings.SESSION_COOKIE_NAME: access.sessions[who]} if who is not ANONYMOUS else {}
    options: dict[str, Any] = {"data": row.form_of(arguments)} if (method or row.method) == "POST" else {}
    with statements() as asked:
        response = getattr(Browser(cookies), (method or row.method).lower())(path, **options)
        body = content(response)
    hidden = [str(argument) for argument in arguments]
    headers = tuple(sorted((name, steady(value, hidden)) for name, value in response.headers.items() if name not in _CHANGING))
    location = response.headers.get("Location", "")
    return Answer(response.status_code, location, steady(body, hidden), headers, tuple(asked))


def arguments_of(row: Row, access: AccessWorld, who: Who | None, relation: str | None) -> tuple[Any, ...]:
    """What the address names there, made if need be; without `more`."""
    return _made(row, access, who if who is not ANONYMOUS and who.role is not None else CALLERS[0], relation)


def _made(row: Row, access: AccessWorld, who: Who, relation: str | None) -> tuple[Any, ...]:
    if row.target is None or relation is None:
        return ()
    if isinstance(row.target, str):
        return (getattr(access.things[relation], row.target),)
    return row.target(access, who, relation)


_WRITES = re.compile(r'\b(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"')
_NOTED = {"issuance_event", "billing_event", "authn_event", "authn_session", "issuance_search"}
"""What looking may write: who saw or fetched what, that a log-in was refused, a session's use and content, a search read on."""


def written(queries: Iterable[str]) -> set[str]:
    """The tables that the statements changed, but for those that note who looked."""
    return {table for sql in queries for table in _tables_written(sql)} - _NOTED


@lru_cache(maxsize=4096)
def _tables_written(sql: str) -> frozenset[str]:
    return frozenset(_WRITES.findall(sql))


_CHANGING = ("X-Request-Id", "X-Request-ID", "Content-Length")


def steady(text: str, hidden: list[str]) -> str:
    """The text without CSRF tokens, the request's id, and what was asked for."""
    text = re.sub(r'(name="csrfmiddlewaretoken" value=)"[^"]*"', r"\1", text)
    text = re.sub(r"<code>[0-9a-f]{32}</code>", "<code>…</code>", text)
    for value in hidden:
        text = text.replace(value, "…") if len(value) > 5 else text
    return text


def name_of(who: Who | None) -> str:
    """The caller in a report."""
    return "anonymous" if who is ANONYMOUS else str(who)


MOST = 4
"""Rows in a bundle: more would save little, and keep a test running for long."""


def bundles(rows: Sequence[Row]) -> list[tuple[Row, ...]]:
    """The rows, those whose target is made by the same maker together: to make it costs as much as to ask about it."""
    made: dict[Any, list[Row]] = {}
    for row in rows:
        made.setdefault(row.target if callable(row.target) else row.key, []).append(row)
    return [bundle for same in made.values() for bundle in batched(same, MOST, strict=False)]


def in_full(row: Row, callers: Iterable[Who | None] = (ANONYMOUS, *CALLERS)) -> Questions:
    """The full walk's questions about a row: every caller about every place."""
    return {who: relations(row, who) for who in callers}


def walk(row: Row, access: AccessWorld, callers: Sequence[Who | None]) -> list[str]:
    """What is wrong with one row, of everything that these callers can ask about it."""
    return walk_all([row], access, {row.key: in_full(row, callers)})


@untold()
def walk_all(rows: Sequence[Row], access: AccessWorld, questions: Mapping[Key, Questions]) -> list[str]:
    """What is wrong with rows of one target: where the status is another than `expected`, where a log-in is not asked for, and
    where hidden can be told from unknown by body, headers or queries (S08-S10), and where a GET writes (S16)."""
    callers = dict.fromkeys(who for row in rows for who in questions[row.key])
    answers: dict[tuple[Who | None, Key], dict[str | None, Answer]] = defaultdict(dict)
    for place in dict.fromkeys(place for row in rows for asked in questions[row.key].values() for place in asked):
        there = {who: [row for row in rows if place in questions[row.key].get(who, ())] for who in callers}
        for who, answered in ask_all({who: those for who, those in there.items() if those}, access, place).items():
            for key, answer in answered.items():
                answers[who, key][place] = answer
    wrong = []
    for who, row in product(callers, rows):
        assert set(answers[who, row.key]) == set(questions[row.key].get(who, ()))
        wrong += [f"{row}: {name_of(who)} {said}" for said in _faults(row, who, answers[who, row.key])]
    return wrong


def _faults(row: Row, who: Who | None, answers: dict[str | None, Answer]) -> Iterator[str]:
    for relation, answer in answers.items():
        wanted = expected(row, who, relation)
        if answer.status != wanted:
            yield f"{relation}: {answer.status}, not {wanted}"
        elif who is ANONYMOUS and row.right is not PUBLIC and not answer.location.startswith("/logga-in/?"):
            yield f"{relation}: sent to {answer.location}"
        elif row.method == "GET" and (who is ANONYMOUS or who.role is not None) and (left := written(answer.queries)):
            yield f"{relation}: wrote {sorted(left)}"  # without a role the session ends, and the form that it kept goes
    unknown = answers.get("unknown")
    if unknown is None or who is ANONYMOUS:
        return
    for relation, answer in answers.items():
        if relation == "unknown" or answer.status != unknown.status:
            continue
        for part in row.compared:
            if getattr(answer, part) != getattr(unknown, part):
                yield f"{relation}: {part} tell it from unknown: {_first_difference(answer, unknown, part)}"


def _first_difference(answer: Answer, unknown: Answer, part: str) -> str:
    one, other = getattr(answer, part), getattr(unknown, part)
    if part == "body":
        one, other = one.splitlines(), other.splitlines()
    for left, right in zip(one, other, strict=False):
        if left != right:
            return f"{str(left)[:300]} / {str(right)[:300]}"
    return f"{len(one)} / {len(other)}"
