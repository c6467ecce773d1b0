"""National-scale organisations: with the demo's own, 21 regions, 290 municipalities and 2,000 others, on three levels."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate

from issuance.authz import Role
from issuance.organisations.domain.counties import COUNTIES
from issuance.records.domain.ids import luhn_check_digit

REGIONS, MUNICIPALITIES, OTHERS = 19, 289, 1998
TOP = REGIONS + MUNICIPALITIES
"""Organisations with a lower number are regions and municipalities; the others are sub-organisations."""

OFFICES_OF_A_REGION = 3
_TAKEN_COUNTIES = frozenset({"Västra Götalands län", "Stockholms län"})
_STRIDE = 104_729  # a prime, so that consecutive people get different organisations

Roles = tuple[tuple[Role, bool], ...]

_OF_A_REGION: Roles = (
    (Role.RESPONSIBLE_ISSUER, True),
    (Role.DEPUTY_ISSUER, False),
    (Role.ID_ADMINISTRATOR, True),
    *((Role.ID_ADMINISTRATOR, False),) * 5,
    (Role.REVOKER, False),
    (Role.READER, False),
)
_OF_A_MUNICIPALITY: Roles = ((Role.ID_ADMINISTRATOR, True), (Role.ID_ADMINISTRATOR, False), (Role.READER, False))
_OF_ANOTHER: Roles = ((Role.ID_ADMINISTRATOR, False),)


@dataclass(frozen=True)
class ScalePlace:
    """An organisation. Numbers begin with the regions, then the municipalities, then the others.

    `region` is the number of the region whose area it belongs to, `parent` the number of its parent or None, `share` its weight
    in the distribution of people, `offices` the numbers of its offices.
    """

    number: int
    name: str
    region: int
    parent: int | None
    share: int
    offices: tuple[int, ...]
    roles: Roles

    @cached_property
    def organisation_number(self) -> str:
        """The organisation number, ten digits with the check digit."""
        nine = f"2990{self.number:05}"
        return nine + luhn_check_digit(nine)

    @cached_property
    def hsa_id(self) -> str:
        """The HSA-id of the organisation."""
        return f"TST{self.organisation_number}-1000"

    @property
    def domain(self) -> str:
        """The domain of its people's e-mail addresses."""
        return f"org{self.number}.example.org"

    @property
    def is_top(self) -> bool:
        """Whether it is a region or a municipality."""
        return self.number < TOP


@cache
def places() -> tuple[ScalePlace, ...]:
    """Returns all organisations, by number."""
    return (*map(_region, range(REGIONS)), *map(_municipality, range(MUNICIPALITIES)), *map(_other, range(OTHERS)))


def county(region: int) -> str:
    """Returns the county of a region."""
    return [name for name in COUNTIES if name not in _TAKEN_COUNTIES][region]


def place_of(position: int) -> ScalePlace:
    """Returns the organisation of the person at this position. The first positions fill the organisations' roles."""
    leaders = _leaders()
    if position < len(leaders):
        return leaders[position][0]
    ends = _ends()
    return places()[bisect_right(ends, position * _STRIDE % ends[-1])]


def role_of(position: int) -> tuple[Role, bool] | None:
    """Returns the role of the person at this position and whether it has the add-on for protected persons, or None."""
    leaders = _leaders()
    return leaders[position][1] if position < len(leaders) else None


def other_place(place: ScalePlace, number: int) -> ScalePlace:
    """Returns another organisation of the same area, for the second assignment of a person of `place`."""
    if place.number != place.region:
        return places()[place.region]
    return places()[REGIONS + place.region + REGIONS * (number % (MUNICIPALITIES // REGIONS))]


def by_hsa_id(hsa_id: str) -> ScalePlace:
    """Returns the organisation with this HSA-id. Raises KeyError."""
    return _by_hsa_id()[hsa_id]


def _region(number: int) -> ScalePlace:
    offices = tuple(number * OFFICES_OF_A_REGION + each for each in range(OFFICES_OF_A_REGION))
    return ScalePlace(number, f"Region Prov {number + 1}", number, None, 60_000 // (1 + number // 2), offices, _OF_A_REGION)


def _municipality(index: int) -> ScalePlace:
    office = REGIONS * OFFICES_OF_A_REGION + index
    return ScalePlace(
        REGIONS + index, f"Provkommun {index + 1}", index % REGIONS, None, 1_600 // (1 + index // 40), (office,),
        _OF_A_MUNICIPALITY,
    )  # fmt: skip


def _other(index: int) -> ScalePlace:
    """Returns a third-party organisation: in turns below a region, below a municipality, and below the previous one."""
    below = (index % REGIONS, REGIONS + index % MUNICIPALITIES, TOP + index - 1)[index % 3]
    above = _municipality(index % MUNICIPALITIES) if index % 3 == 1 else None
    if index % 3 == 2:
        above = _municipality((index - 1) % MUNICIPALITIES)
    region = above.region if above else below
    offices = above.offices if above else (region * OFFICES_OF_A_REGION + OFFICES_OF_A_REGION - 1,)
    return ScalePlace(TOP + index, f"Provvård {index + 1} AB", region, below, 35, offices, _OF_ANOTHER)


@cache
def _leaders() -> list[tuple[ScalePlace, tuple[Role, bool]]]:
    return [(place, role) for place in places() for role in place.roles]


@cache
def _ends() -> list[int]:
    return list(accumulate(place.share for place in places()))


@cache
def _by_hsa_id() -> dict[str, ScalePlace]:
    return {place.hsa_id: place for place in places()}
