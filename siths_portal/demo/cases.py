"""People of the demo for errands that need somebody special: who is under 18, who has two assignments within the reach of one
ID administrator, and about whom register or catalogue has news.

The portal gets them as the catalogue had them before the news. The simulators have the news, so that the portal learns of it as
it does in use: by a live read (`states`) and by the nightly comparison.
"""

import datetime as dt
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from issuance.people.models.persons import Post
from issuance.people.ports import DirectoryPost, PersonKey, RegisteredAddress, RegisterPerson
from issuance.records.domain.ids import PersonId, PersonIdKind, luhn_check_digit
from siths_portal.demo.newcomers import FIRST as FIRST_NEWCOMER
from siths_portal.demo.people import DemoPerson, person_id_of
from siths_portal.demo.places import PLACES, VASTRA_GOTALAND, Place
from siths_portal.demo.reserve_articles import PLACE as RESERVE_PLACE
from siths_portal.lib import clock

FIRST = FIRST_NEWCOMER + 2_000
"""The number of the first of these people, after those of the sandbox."""

_ADDRESS = RegisteredAddress(("Testallén 6",), "123 45", "Demostad", "SE")
_AREA_PLACE = VASTRA_GOTALAND.places[0]
_FIRST_YEAR, _LEAST_AGE = 2009, 15
_MINORS = (("Alva", "Tornberg"), ("Melker", "Westman"), ("Tindra", "Öhman"))
_GUARDIAN = ("Gunnel", "Tornberg")

RENAMED_PLACE, NAME_IN_CATALOGUE = "TST2321000131-1004", "Västra Götalands privata vård"
"""An organisation whose name the catalogue writes otherwise than the portal."""


@dataclass(frozen=True)
class NewsPerson:
    """A person who has a card, as the portal first got them (`before`) and as register and catalogue have them now."""

    before: DemoPerson
    now: DemoPerson
    text: str


def minors() -> list[DemoPerson]:
    """Returns somebody born on the first day of each year since _FIRST_YEAR who has completed 15 years; the last are under 18.

    They are born in this century, because nobody else is under 18. Their birth numbers are those of the other demo people.
    """
    place = next(each for each in PLACES if each.hsa_id == RESERVE_PLACE)
    years = range(_FIRST_YEAR, clock.today().year - _LEAST_AGE + 1)
    return [_person(number, _MINORS[number % len(_MINORS)], place, _born_in(year)) for number, year in enumerate(years)]


def guardian() -> tuple[str, PersonId]:
    """Returns the name and personnummer of somebody without assignment or role, who can attest for a minor."""
    return " ".join(_GUARDIAN), person_id_of(FIRST - 1)


def news() -> list[NewsPerson]:
    """Returns a person for each kind of news that Registervård lists about persons."""
    deceased, protected, renamed, ended = (
        _person(100 + number, name, _AREA_PLACE)
        for number, name in enumerate(
            (("Ragnhild", "Hedlund"), ("Torborg", "Sundin"), ("Sigrid", "Åkesson"), ("Valfrid", "Ekström"))
        )
    )
    return [
        NewsPerson(deceased, _registered(deceased, deceased=True), "avliden, med ett kort i bruk"),
        NewsPerson(
            protected,
            _registered(protected, protected_person_indicator=True, registered_address=None),
            "har nyss fått skyddade personuppgifter (visas för den som har behörigheten)",
        ),
        NewsPerson(
            renamed, _registered(renamed, surname="Lindhagen"), "har bytt efternamn, i folkbokföringen men inte i katalogen"
        ),
        NewsPerson(ended, replace(ended, posts=()), "har slutat, med ett kort i bruk"),
    ]


def two_assignments() -> DemoPerson:
    """Returns somebody with an assignment in the organisation of `news` and one in an organisation below it, so that one ID
    administrator can order an eID of each on one card.
    """
    first = _person(200, ("Vivan", "Söderlund"), _AREA_PLACE)
    below = next(place for place in VASTRA_GOTALAND.places if place.parent == _AREA_PLACE.hsa_id)
    return replace(first, posts=(*first.posts, *_person(200, ("Vivan", "Söderlund"), below).posts))


def known_people() -> list[DemoPerson]:
    """Returns all these people as the portal first gets them."""
    return [*minors(), two_assignments(), *(each.before for each in news())]


def present_people() -> list[DemoPerson]:
    """Returns all these people as register and catalogue have them now."""
    return [*minors(), two_assignments(), *(each.now for each in news())]


def without_special(posts: QuerySet[Post]) -> QuerySet[Post]:
    """Returns the assignments of other people than these, to whom the demo gives cards as it comes to them."""
    return posts.exclude(person__identifiers__value__in=[one.person_id.value for one in known_people()])


def _registered(one: DemoPerson, **changes: object) -> DemoPerson:
    return replace(one, register=replace(one.register, **changes))  # type: ignore[arg-type]


def _born_in(year: int) -> PersonId:
    nine = f"{dt.date(year, 1, 1):%y%m%d}{980 + year % 20}"
    return PersonId(PersonIdKind.PERSONNUMMER, f"{year // 100}{nine}{luhn_check_digit(nine)}")


def _person(number: int, name: tuple[str, str], place: Place, person_id: PersonId | None = None) -> DemoPerson:
    index, (given, surname) = FIRST + number, name
    person_id = person_id or person_id_of(index)
    post = DirectoryPost(
        hsa_id=f"{place.hsa_id.split('-')[0]}-{place.hsa_id[-2:]}C{index:06X}",
        organisation_hsa_id=place.hsa_id,
        person=PersonKey(person_id.kind.value, person_id.value),
        given_name=given,
        surname=surname,
        title="Vårdbiträde",
        mail=f"vardbitrade{index}@{place.domain}",
        upn=f"vardbitrade{index}@ad.{place.domain}",
    )
    return DemoPerson(index, person_id, RegisterPerson(given, given, surname, False, False, False, _ADDRESS), (post,))
