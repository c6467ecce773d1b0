"""Loads the demo's organisations, people and roles into an empty portal. A repeated run adds only what is missing."""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from uuid import UUID

import yaml
from django.conf import settings
from django.db.models import Q

from issuance.authz import Actor, Role
from issuance.authz.roles import AREA_ROLES, GLOBAL_ROLES, QUALIFIED_ROLES
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import verify_customisation
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, PersonIdentifier
from issuance.people.services import catalogue
from issuance.records.domain.ids import PersonId
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services import first_administrators, qualifications, role_assignment, role_requests
from issuance.roles.services.actors import actor_of_person
from siths_portal.demo import cases, idp_people, newcomers, photos, reserve_articles, sandbox
from siths_portal.demo.logotypes import put_logotype
from siths_portal.demo.newcomers import NewPlace
from siths_portal.demo.people import FIRST_OF_THE_COUNTRY, DemoPerson, people, person, write_directory
from siths_portal.demo.places import AREAS, PLACES, SETUP, Place, load_places
from siths_portal.demo.scale import loading as scale
from siths_portal.demo.scale.places import ScalePlace
from siths_portal.demo.scale.places import places as scale_places
from siths_portal.lib import clock
from siths_portal.lib.files.atomic import write_atomically

LEAST = sum(len(place.roles) for place in PLACES)
_CHUNK = 1000
KNOWN_FOR = dt.timedelta(days=6 * 365)
"""How long ago the portal got the demo's people from the directory. Their oldest cards are five years old (`states`)."""

_OF_THE_SANDBOX = Q(posts__organisation__hsa_id__in=[place.hsa_id for place in sandbox.PLACES])
PHOTOGRAPHED = 120
"""Only people below this number get portraits."""


def directory_file() -> Path:
    """Returns the path of the directory simulator's data file."""
    return settings.VAR_DIR / "simulators" / "directory" / "people.json"


def organisations_file() -> Path:
    """Returns the path of the directory simulator's file of organisations."""
    return directory_file().with_name("organisations.json")


def load(count: int, say: Callable[[str], None]) -> None:
    """Loads the demo with at least `count` people. Keeps existing people, also in the simulator's file.

    People from FIRST_OF_THE_COUNTRY on are loaded by COPY, with national-scale organisations and with cards (ADR 0195). The
    simulators know all organisations, but only the people before that number, and those of the sandbox. Raises Conflict as
    `scale.load` does.
    """
    special = cases.known_people()
    numbered = Person.objects.filter(synthetic=True).exclude(_OF_THE_SANDBOX)
    numbered = numbered.exclude(identifiers__value__in=[one.person_id.value for one in special])
    wanted = max(count, numbered.count())
    if wanted > FIRST_OF_THE_COUNTRY:
        scale.require_issuer()
    load_places()
    reserve_articles.offer(Organisation.objects.get(hsa_id=reserve_articles.PLACE))
    say(f"{len(AREAS)} utgivningsområden, {len(PLACES)} organisationer")
    everyone = people(min(wanted, FIRST_OF_THE_COUNTRY))
    others = [one.person for one in (*newcomers.newcomers(), *newcomers.employees())]
    write_directory(directory_file(), len(everyone), [*others, *sandbox.everyone(), *cases.present_people()])
    country = scale_places() if wanted > FIRST_OF_THE_COUNTRY else ()
    write_organisations((*PLACES, *newcomers.PLACES, *sandbox.PLACES, *country))
    _register(everyone, say)
    _register(_unknown(special), say)
    _assign_roles()
    idp_people.write()
    _verify_customisations()
    stored = photos.store_portraits(LEAST, min(len(everyone), PHOTOGRAPHED))
    photos.write_sample()
    say(f"{stored} nya porträtt")
    if wanted > FIRST_OF_THE_COUNTRY:
        say(f"{scale.load(wanted, say)} nya personer i hela landet, med kort")


def _unknown(everyone: Sequence[DemoPerson]) -> list[DemoPerson]:
    """Returns the people whom the portal lacks. The others' assignments may have ended since."""
    numbers = {one.person_id.value: one for one in everyone}
    known = set(PersonIdentifier.objects.filter(value__in=numbers).values_list("value", flat=True))
    return [one for number, one in numbers.items() if number not in known]


def _register(everyone: Sequence[DemoPerson], say: Callable[[str], None]) -> None:
    """Registers the people in the portal, as of `KNOWN_FOR` ago."""
    added = 0
    for start in range(0, len(everyone), _CHUNK):
        chunk = [one.for_catalogue() for one in everyone[start : start + _CHUNK]]
        with clock.moved_to(clock.now() - KNOWN_FOR):
            added += catalogue.register_people(actor=SETUP, people=chunk).persons
        say(f"{start + len(chunk)} av {len(everyone)} personer, {added} nya")


def write_organisations(places: Iterable[Place | NewPlace | ScalePlace]) -> None:
    """Writes the directory simulator's organisations (docs/wire/README.md), atomically."""
    names = {cases.RENAMED_PLACE: cases.NAME_IN_CATALOGUE}
    entries = [
        {
            "hsa_id": place.hsa_id,
            "name": names.get(place.hsa_id, place.name),
            "organisation_number": place.organisation_number.replace("-", ""),
        }
        for place in places
    ]
    write_atomically(organisations_file(), (json.dumps(entries, ensure_ascii=False, indent=0) + "\n").encode())


def _appoint_administrators(numbers: Sequence[PersonId]) -> None:
    """Appoints the administrators with the file that the operator of a new system uses. Does nothing if there are any."""
    if RoleGrant.objects.filter(role=Role.MASTER_DATA_ADMIN.value).exists():
        return
    today = clock.today().isoformat()
    rows = [{"person_id": number.value, "person_check": today, "training": today} for number in numbers]
    file = settings.VAR_DIR / "demo" / "administratorer.yaml"
    content = yaml.safe_dump({"administrators": rows}, allow_unicode=True).encode()
    write_atomically(file, content, mode=0o600)
    first_administrators.appoint(content)


def _assign_roles() -> None:
    """Gives the roles of each organisation to its first people, by actors with the right to, since audit_verify checks it."""
    holders = iter(range(LEAST))
    roles = [role for place in PLACES for role, _protected in place.roles]
    numbers = [person(index).person_id for index, role in enumerate(roles) if role is Role.MASTER_DATA_ADMIN]
    _appoint_administrators(numbers)
    first, second = (actor_of_person(_person_of(number)) for number in numbers[:2])
    narrowed = []
    for place in PLACES:
        organisation = Organisation.objects.get(hsa_id=place.hsa_id)
        for role, protected in place.roles:
            holder = _person_of(person(next(holders)).person_id)
            giver = first if role in AREA_ROLES | GLOBAL_ROLES else _issuer_of(organisation)
            if role in QUALIFIED_ROLES:
                _qualify(giver, holder)
            if RoleGrant.objects.filter(person_id=holder, role=role.value).exists():
                continue  # an administrator, or there from an earlier run
            if role in GLOBAL_ROLES:
                _give_global(first, second, holder, role, protected=protected)
            elif role in AREA_ROLES:
                # With the add-on for protected persons first: the issuer needs it to give roles with the add-on.
                grant = role_assignment.assign_role(
                    actor=first, person_id=holder, role=role, protected_persons=True, area_id=organisation.area_id
                )
                narrowed += [] if protected else [grant]
            else:
                role_assignment.assign_role(
                    actor=giver, person_id=holder, role=role, protected_persons=protected, organisation_id=organisation.id
                )
    for grant in narrowed:
        role_assignment.change_role(actor=first, grant_id=grant.pk, version=grant.version, protected_persons=False, last=None)


def _give_global(first: Actor, second: Actor, holder: UUID, role: Role, *, protected: bool) -> None:
    request = role_requests.request_role(actor=first, person_id=holder, role=role, reason="Demo", protected_persons=protected)
    role_requests.decide(actor=second, request_id=request.pk, approve=True)


def _person_of(number: PersonId) -> UUID:
    return PersonIdentifier.objects.get(kind=number.kind.value, value=number.value, valid_to=None).person_id


def _issuer_of(organisation: Organisation) -> Actor:
    grants = RoleGrant.objects.filter(role=Role.RESPONSIBLE_ISSUER.value, area=organisation.area_id, valid_to=None)
    return actor_of_person(grants.earliest("valid_from").person_id)


def _qualify(giver: Actor, person_id: UUID) -> None:
    """Records a person check and a training of today, unless they are valid for QUALIFICATION_SOON_DAYS more."""
    soon = clock.today() + dt.timedelta(days=settings.QUALIFICATION_SOON_DAYS)
    for kind in QualificationKind:
        records = Qualification.objects.filter(person_id=person_id, kind=kind.value, withdrawn_at=None)
        if not records.filter(Q(due_on=None) | Q(due_on__gt=soon)).exists():
            qualifications.record(actor=giver, person_id=person_id, kind=kind, passed_on=clock.today())


def _verify_customisations() -> None:
    """Adds missing logotypes as the supplier, and verifies the customisations as each area's responsible issuer."""
    ids = [place.customisation.customisation_id for place in PLACES if place.customisation]
    for row in CardCustomisation.objects.filter(logotype=None, customisation_id__in=ids).order_by("customisation_id"):
        organisation = Organisation.objects.get(customisation=row)
        put_logotype(row)
        verify_customisation(actor=_issuer_of(organisation), customisation_id=row.id)
