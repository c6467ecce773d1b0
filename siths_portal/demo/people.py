"""The demo's synthetic people, the same on every machine. A person depends only on their number, not on how many are loaded.

They are born 1800-1899 and have birth numbers 980-999, so that no real person can have their personal numbers.
"""

import datetime as dt
import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from issuance.people.ports import DirectoryPost, PersonKey, RegisteredAddress, RegisterPerson
from issuance.people.services.catalogue import CataloguePerson
from issuance.records.domain.ids import PersonId, PersonIdKind, luhn_check_digit
from siths_portal.demo.places import PLACES, Place
from siths_portal.demo.scale.places import ScalePlace, other_place, place_of
from siths_portal.lib.files.atomic import write_atomically

SEED = 1549
MOST = 600_000
FIRST_OF_THE_COUNTRY = 1_000
"""Services register the people before this number, in the demo's own organisations. The others are the national-scale data."""

_DAYS = (dt.date(1899, 12, 31) - dt.date(1800, 1, 1)).days + 1
_SLOTS = _DAYS * 20
_STRIDE = 48271  # a prime that does not divide _SLOTS, so that no personal number repeats

_WOMEN = (
    "Agnes", "Alma", "Anna", "Astrid", "Beata", "Birgitta", "Cecilia", "Disa", "Ebba", "Elin", "Elsa", "Emma", "Frida",
    "Gerda", "Greta", "Gunhild", "Hedvig", "Ida", "Ingrid", "Karin", "Kerstin", "Lovisa", "Maja", "Märta", "Selma", "Signe",
    "Sofia", "Svea", "Tyra", "Ulrika", "Vendela", "Åsa",
)  # fmt: skip
_MEN = (
    "Albin", "Anders", "Arvid", "Axel", "Bertil", "Birger", "Carl", "Einar", "Emil", "Erik", "Folke", "Gustav", "Göran",
    "Gösta", "Harald", "Hjalmar", "Ivar", "Johan", "Karl", "Knut", "Lars", "Magnus", "Nils", "Olof", "Oskar", "Per", "Rune",
    "Sigurd", "Sven", "Tage", "Torsten", "Åke",
)  # fmt: skip
_SURNAMES = (
    "Ahlgren", "Almqvist", "Andersson", "Berg", "Berglund", "Björk", "Blomqvist", "Dahl", "Ekström", "Engström", "Eriksson",
    "Forsberg", "Granqvist", "Gustavsson", "Hedlund", "Holm", "Håkansson", "Isaksson", "Jansson", "Johansson", "Karlsson",
    "Lind", "Lindgren", "Lundqvist", "Löfgren", "Magnusson", "Nilsson", "Norén", "Nyström", "Olsson", "Persson", "Pettersson",
    "Rosén", "Sandberg", "Sjöberg", "Strömberg", "Sundin", "Svensson", "Söderlund", "Tornberg", "Wallin", "Westman", "Åberg",
    "Åkesson", "Åström", "Öberg", "Öhman", "Östlund",
)  # fmt: skip
_TWO_ASSIGNMENTS = frozenset({5})  # the first ID administrator, who chooses between HSA-ids at log-in
_TITLES = ("Sjuksköterska", "Läkare", "Undersköterska", "Medicinsk sekreterare", "Fysioterapeut", "Biomedicinsk analytiker", "")
_STREETS = ("Demogatan", "Exempelvägen", "Provgränd", "Testallén")
_ASCII = str.maketrans("åäöÅÄÖé", "aaoAAOe")


@dataclass(frozen=True)
class DemoPerson:
    """A person of the demo with one or two HSA assignments."""

    index: int
    person_id: PersonId
    register: RegisterPerson
    posts: tuple[DirectoryPost, ...]

    def for_catalogue(self) -> CataloguePerson:
        """Returns the person as input of the directory import."""
        return CataloguePerson(self.person_id, self.register, self.posts)


def person(index: int) -> DemoPerson:
    """Returns the person with this number, 0 to MOST - 1."""
    chance = random.Random(f"{SEED}:{index}")  # noqa: S311  (demo data, no secret)
    coordination = index % 41 == 40
    person_id = person_id_of(index, coordination=coordination)
    key = PersonKey(person_id.kind.value, person_id.value)
    given = chance.choice(_MEN if int(person_id.value[10]) % 2 else _WOMEN)
    middle = chance.choice(_MEN if int(person_id.value[10]) % 2 else _WOMEN)
    surname = chance.choice(_SURNAMES)
    indicator, record = index % 45 == 44, index % 70 == 69
    address = RegisteredAddress((f"{chance.choice(_STREETS)} {chance.randint(1, 99)}",), "123 45", "Demostad", "SE")
    register = RegisterPerson(
        given_names=f"{given} {middle}",
        given_name_in_use=given,
        surname=surname,
        protected_person_indicator=indicator,
        protected_population_record=record,
        deceased=False,
        registered_address=None if indicator or record else address,
    )
    posts = tuple(_post(index, place, key, register, chance) for place in _places(index, chance))
    return DemoPerson(index, person_id, register, posts)


def people(count: int) -> list[DemoPerson]:
    """Returns the first `count` people."""
    return [person(index) for index in range(count)]


def write_directory(path: Path, count: int, others: Sequence[DemoPerson] = ()) -> None:
    """Writes the first `count` people and `others` as the directory simulator's data (docs/wire/README.md), atomically."""
    everyone = itertools.chain((person(index) for index in range(count)), others)
    entries = ",\n".join(json.dumps(_entry(one), ensure_ascii=False) for one in everyone)
    write_atomically(path, f"[\n{entries}\n]\n".encode())


def person_id_of(index: int, *, coordination: bool = False) -> PersonId:
    """Returns the personnummer, or samordningsnummer, of the person with this number. No two people share one."""
    slot = index * _STRIDE % _SLOTS
    born = dt.date(1800, 1, 1) + dt.timedelta(days=slot // 20)
    nine = f"{born:%y%m}{born.day + 60 * coordination:02}{980 + slot % 20}"
    kind = PersonIdKind.SAMORDNINGSNUMMER if coordination else PersonIdKind.PERSONNUMMER
    return PersonId(kind, f"18{nine}{luhn_check_digit(nine)}")


def _places(index: int, chance: random.Random) -> list[Place] | list[ScalePlace]:
    """Returns the organisations of the person's assignments. One person in twenty has two."""
    second = chance.random() < 0.05
    if index >= FIRST_OF_THE_COUNTRY:
        first = place_of(index - FIRST_OF_THE_COUNTRY)
        return [first, other_place(first, index)] if second else [first]
    places = [_place(index)]
    others = [place for place in PLACES if place is not places[0]]
    if index in _TWO_ASSIGNMENTS:
        places.append(others[0])
    elif second:
        places.append(chance.choice(others))
    return places


def _place(index: int) -> Place:
    """Returns the organisation of a person. The first people fill the organisations' roles; the rest follow their shares."""
    leaders = [place for place in PLACES for _ in place.roles]
    if index < len(leaders):
        return leaders[index]
    position = index * 37 % sum(place.share for place in PLACES)
    for place in PLACES:
        position -= place.share
        if position < 0:
            return place
    raise AssertionError("unreachable")


def _post(
    index: int, place: Place | ScalePlace, key: PersonKey, register: RegisterPerson, chance: random.Random
) -> DirectoryPost:
    prefix = place.hsa_id.split("-")[0]
    name = f"{register.given_name_in_use}.{register.surname}{index}".translate(_ASCII).lower()
    return DirectoryPost(
        hsa_id=f"{prefix}-{place.hsa_id.split('-')[1][-2:]}E{index:06X}",
        organisation_hsa_id=place.hsa_id,
        person=key,
        given_name=register.given_name_in_use,
        surname=register.surname,
        title=chance.choice(_TITLES),
        mail=f"{name}@{place.domain}",
        upn=f"{name}@ad.{place.domain}",
    )


def _entry(one: DemoPerson) -> dict[str, Any]:
    key = {"kind": one.person_id.kind.value, "value": one.person_id.value}
    register, address = dict(vars(one.register)), one.register.registered_address
    register["registered_address"] = {**vars(address), "lines": list(address.lines)} if address else None
    posts = [{**vars(post), "person_id": key, "valid_to": None} for post in one.posts]
    for post in posts:
        del post["person"]
    return {"person_id": key, "register": register, "posts": posts}
