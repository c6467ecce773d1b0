"""Which callers are asked about which places in the short walk: a part of the full one that loses no kind of answer.

`test_rules.py` proves for every scoped model, caller and action that the database gives what the rules give. What a page can add
to that is the wrong action, a lookup past the scope, or an answer that tells hidden from unknown. Each of these shows to each
role at one place in its sight, and at each place to a few callers. `test_selection.py` holds the selection to that.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache

from issuance.authz import Action, Role
from issuance.authz.roles import ALLOWED
from tests.access.matrix import ROWS
from tests.access.row import Key, Row
from tests.access.walker import ANONYMOUS, Questions, bundles, expected, places
from tests.access.world import CALLERS, Who

Place = str | None

Need = tuple[Place, int, str]
"""A place, the status that is expected there, and the kind of caller; "either" of those who act and who look."""

SELDOM = 12
"""In one of so many turns a caller who has something in sight is asked about a hidden place instead."""

ROLES = list(Role)
WITH_ROLE = [who for who in CALLERS if who.role is not None]


def kind(row: Row, who: Who) -> str:
    """What the caller's role gives of the row: its action, no more than to look at what is there, or neither."""
    actions = ALLOWED[who.role] if who.role else frozenset()
    if not isinstance(row.right, Action) or row.right in actions:
        return "acts"
    return "looks" if Action.VIEW in actions else "neither"


@cache
def selected() -> dict[Key, Questions]:
    """The questions about each row of the matrix. Selected when a test asks: every test process loads the tests of all."""
    return select(bundles(ROWS))


def select(bundles: Sequence[Sequence[Row]]) -> dict[Key, Questions]:
    """The questions about each row.

    Of each role at least one caller is asked, with the add-on and without by turns; both are where the add-on opens a place, if
    the address has no other row.
    """
    of_address = Counter(row.name for bundle in bundles for row in bundle)
    next_turn: dict[str, int] = {}
    selected = {}
    for turn, bundle in enumerate(bundles):
        for row in bundle:
            first = row.name not in next_turn
            by_turns = next_turn.get(row.name, turn)
            next_turn[row.name] = by_turns + 1
            both = of_address[row.name] == 1 and opens_by_add_on(row)
            callers = [who for who in WITH_ROLE if both or (_number(who) + by_turns) % 2 == who.add_on]
            selected[row.key] = _Selection(row, turn).of(callers)
            selected[row.key][Who(None)] = _without_role(places(row), turn, compare=first)
    return selected


def _without_role(there: list[Place], turn: int, *, compare: bool) -> list[Place]:
    """Whoever has no role is turned away before anything is looked up: one place stands for all, and with unknown once."""
    if not compare or "unknown" not in there:
        return _rotated(there, turn)[:1]
    return [*_rotated(there[:-1], turn)[:1], "unknown"]


def opens_by_add_on(row: Row) -> bool:
    """True if a row's answer depends on the add-on for protected persons."""
    return any(expected(row, Who(who.role), place) != expected(row, who, place) for who in WITH_ROLE for place in places(row))


def _number(who: Who) -> int:
    return ROLES.index(who.role) if who.role else -1


class _Selection:
    """The questions about one row. `turn` moves places and callers on from one bundle to the next."""

    def __init__(self, row: Row, turn: int) -> None:
        self.row, self.turn = row, turn
        self.places = places(row)
        self.known = [place for place in self.places if place != "unknown"]
        self.status = {who: {place: expected(row, who, place) for place in self.places} for who in WITH_ROLE}
        self.asked: Questions = {}
        self.met: dict[Need, set[Role | None]] = defaultdict(set)

    def of(self, callers: Sequence[Who]) -> Questions:
        """Selects one place for each of `callers`, and more places for callers that a promise still needs."""
        self.asked[ANONYMOUS] = _rotated(self.places, self.turn)[:1]
        wanted = self._wanted()
        for who in _rotated(callers, self.turn):
            self._ask(who, [self._first_place(who, self._missing(wanted))])
        while missing := self._missing(wanted):
            offers = {who: self._offer(who, missing) for who in _rotated(WITH_ROLE, self.turn * 5)}
            best = max(offers, key=lambda who: offers[who][0])
            self._ask(best, offers[best][1])
        return self.asked

    def _missing(self, wanted: dict[Need, int]) -> set[Need]:
        return {need for need, roles in wanted.items() if len(self.met[need]) < roles}

    def _hidden(self, who: Who, place: Place) -> bool:
        """True if the caller gets the same about the place as about what does not exist."""
        return place != "unknown" and self.status[who][place] == self.status[who].get("unknown")

    def _first_place(self, who: Who, missing: set[Need]) -> Place:
        """One in sight, where the role shows, and of these the one that is needed most; seldom a hidden one.

        With the add-on every second time one that it alone opens, if there is any.
        """
        turn = self.turn + _number(who)
        in_sight = [place for place in self.known if not self._hidden(who, place)]
        hidden = [place for place in self.known if place not in in_sight]
        if not in_sight or (hidden and turn % SELDOM == 0):
            return _rotated(hidden, turn // SELDOM if in_sight else turn)[0]
        if who.add_on and turn % 2:
            without = self.status[Who(who.role)]
            in_sight = [place for place in in_sight if self.status[who][place] != without[place]] or in_sight
        by_turn = _rotated(in_sight, turn // 2 if who.add_on else turn)
        return max(by_turn, key=lambda place: len(missing.intersection(self._needs(who, place))))

    def _wanted(self) -> dict[Need, int]:
        """How many roles are asked for each need: one of each kind; where hidden must be as nothing, two of both kinds."""
        roles: dict[Need, set[Role | None]] = defaultdict(set)
        for who in WITH_ROLE:
            for place in self.places:
                for need in self._needs(who, place):
                    roles[need].add(who.role)
        return {
            (place, status, callers): min(len(found), 2 if callers == "either" else 1)
            for (place, status, callers), found in roles.items()
            if callers != "neither" or roles.keys().isdisjoint((place, status, kind) for kind in ("acts", "looks"))
        }

    def _needs(self, who: Who, place: Place) -> Iterator[Need]:
        status, of_kind = self.status[who][place], kind(self.row, who)
        yield place, status, of_kind
        if of_kind != "neither" and self._hidden(who, place):
            yield place, status, "either"

    def _ask(self, who: Who, more: Iterable[Place]) -> None:
        """Adds questions. One about a hidden place counts when it can be compared with one about nothing."""
        asked = self.asked[who] = list(dict.fromkeys([*self.asked.get(who, ()), *more]))
        for place in asked:
            if "unknown" in asked or not self._hidden(who, place):
                for need in self._needs(who, place):
                    self.met[need].add(who.role)

    def _offer(self, who: Who, missing: Collection[Need]) -> tuple[float, list[Place]]:
        """How many of the missing needs the caller would meet by a question more, and these questions."""
        would = {
            place: {need for need in self._needs(who, place) if need in missing and who.role not in self.met[need]}
            for place in self.places
        }
        useful = [place for place, needs in would.items() if needs]
        if any(self._hidden(who, place) for place in useful):
            useful.append("unknown")
        more = [place for place in dict.fromkeys(useful) if place not in self.asked.get(who, ())]
        return len(set().union(*would.values())) / max(len(more), 1), more


def _rotated[Each](these: Sequence[Each], by: int) -> list[Each]:
    by %= len(these)
    return [*these[by:], *these[:by]]
