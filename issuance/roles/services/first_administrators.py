"""Appoints a new system's first administrators by a command (docs/first-administrators.md, ADR 0296).

Later global roles need two persons, so at least two are appointed at once. The command refuses as soon as anybody has a current
or coming global role.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Upper

from issuance.authz import Action, system
from issuance.authz.roles import GLOBAL_ROLES
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import create_area
from issuance.organisations.services.organisations import create_organisation
from issuance.people.models.persons import PersonIdentifier
from issuance.people.services import catalogue_reading
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import qualifications, role_assignment
from issuance.roles.services.actors import current, valid_posts
from issuance.roles.services.administrators_file import AdministratorsFile, FirstAdministrator, FirstOrganisation, parse
from siths_portal.lib import clock
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.errors import Conflict, NotFound

SETUP = system("setup")
_LOCK = "first-administrators"


@dataclass(frozen=True)
class Appointed:
    """The number of people and roles appointed, or in a dry run to appoint."""

    people: int
    roles: int


def appoint(content: bytes, *, dry_run: bool = False) -> Appointed:
    """Gives the people in the file their roles, training and person checks, all or none; with `dry_run` only checks.

    First it creates the file's organisation if the portal lacks it, and reads the people from HSA directory and person register.
    Those rows stay if the appointment is then refused; a repeated run reuses them. Raises Invalid for the file, Conflict if
    anybody has a global role, NotFound if a person cannot be found, Unavailable for directory or register.
    """
    file = parse(content, today=clock.today())
    _require_fresh()
    if dry_run:
        return _checked(file)
    if file.organisation is not None:
        _make(file.organisation)
    for one in (each for each in file.administrators if _known(each) is None):
        catalogue_reading.read_person(actor=SETUP, person_id=one.person_id, action=Action.ASSIGN_ROLE)
    with transaction.atomic(durable=True):
        lock_until_commit(_LOCK)
        _require_fresh()
        for number, one in enumerate(file.administrators, 1):
            _appoint(one, _person_of(one, number))
    return _counted(file)


def _require_fresh() -> None:
    if current(RoleGrant.objects.filter(role__in=sorted(GLOBAL_ROLES))).exists():
        message = (
            "någon har redan en global roll, så inget är ändrat. Nya administratörer begärs i portalen, på personens sida "
            "Roller, och godkänns av en annan administratör"
        )
        raise Conflict("administrators-exist", message)


def _checked(file: AdministratorsFile) -> Appointed:
    """Returns what the file would do. Raises the errors of `appoint` that can be detected without writing."""
    if file.organisation is not None and _organisation(file.organisation.hsa_id) is None:
        if IssuingArea.objects.filter(name=file.organisation.area).exists():
            raise Conflict("area-exists", "utgivningsområdet finns redan, men inte organisationen i filen")
        places = {file.organisation.hsa_id.upper()}
    else:
        places = set()
    for number, one in enumerate(file.administrators, 1):
        if _known(one) is None and not catalogue_reading.has_post(one.person_id, places=places):
            raise _unknown(number)
    return _counted(file)


def _make(organisation: FirstOrganisation) -> None:
    if _organisation(organisation.hsa_id) is not None:
        return
    area = IssuingArea.objects.filter(name=organisation.area).first() or create_area(actor=SETUP, name=organisation.area)
    create_organisation(
        actor=SETUP,
        area_id=area.pk,
        name=organisation.name,
        hsa_id=organisation.hsa_id,
        organisation_number=organisation.organisation_number,
        issuing=area.issuing_organisation_id is None,
    )


def _appoint(one: FirstAdministrator, person_id: UUID) -> None:
    for kind, passed_on in one.passed_on.items():
        qualifications.record_joining(actor=SETUP, person_id=person_id, kind=kind, passed_on=passed_on)
    for role in one.roles:
        role_assignment.give(actor=SETUP, person_id=person_id, role=role, reach=())


def _person_of(one: FirstAdministrator, number: int) -> UUID:
    found = _known(one)
    if found is None:
        raise _unknown(number)
    return found


def _known(one: FirstAdministrator) -> UUID | None:
    """Returns the person's id if the portal has the person with a valid HSA assignment."""
    rows = PersonIdentifier.objects.filter(kind=one.person_id.kind.value, value=one.person_id.value, valid_to=None)
    return rows.filter(person__in=valid_posts().values("person")).values_list("person_id", flat=True).first()


def _organisation(hsa_id: str) -> Organisation | None:
    return Organisation.objects.annotate(upper=Upper("hsa_id")).filter(upper=hsa_id.upper()).first()


def _counted(file: AdministratorsFile) -> Appointed:
    return Appointed(len(file.administrators), sum(len(one.roles) for one in file.administrators))


def _unknown(number: int) -> NotFound:
    message = (
        f"administratör {number} har inget giltigt uppdrag i en organisation som portalen har. Kontrollera numret och "
        "HSA-katalogen, eller ange organisationen i filen"
    )
    return NotFound("administrator-unknown", message)
