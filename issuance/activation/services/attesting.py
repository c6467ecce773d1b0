"""Attestation by another person who identifies the holder (Intyg av annan person, rules/issuance 5.8)."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q

from issuance.activation.domain.identity_documents import FULL, OF_AGE, relations
from issuance.activation.models import Attestation, Identification
from issuance.authz import Actor
from issuance.carriers.models import Carrier
from issuance.organisations.models import Organisation
from issuance.organisations.queries.places import paths_above
from issuance.people.models.persons import PersonIdentifier
from issuance.people.services import people
from issuance.records.domain.ids import PersonId, PersonIdKind, parse_swedish_number
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import current
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

_NAME_LIMIT = 200
type _Fault = tuple[str, str]


@dataclass(frozen=True)
class Attested:
    """What the clerk enters: name and personnummer of the attestor, who is present; the relation to the holder; the attestor's
    own document, which the clerk has checked. `stated` means that the attestor has signed the attestation, knows that a false
    one is a crime, and that the form is archived.
    """

    attestor_name: str
    attestor_number: str
    relation: str
    attestor_document: str
    stated: bool


NOTHING = Attested("", "", "", "", stated=False)


def facts(attestation: Attestation) -> dict[str, str]:
    """Returns what the event of the identification says of the attestation, without the attestor's number."""
    names = ("attestor_name", "attestor_document")
    return {"attestor_relation": attestation.relation} | {name: getattr(attestation, name) for name in names}


def attest(identification: Identification, attested: Attested, *, actor: Actor) -> None:
    """Attaches the attestation to an identification that is not stored yet. `store` stores it. Raises Invalid with every fault at
    its field.
    """
    number = _parsed(attested.attestor_number)
    faults = list(_faults(identification.carrier, attested, number, actor))
    if faults or number is None:
        fields = {field: [message] for field, message in reversed(faults)}
        raise Invalid("attestation", faults[0][1], fields=fields)
    Attestation(
        identification=identification,
        attestor_name=" ".join(attested.attestor_name.split()),
        attestor_number=number.value,
        relation=attested.relation,
        attestor_document=attested.attestor_document,
    )


def store(identification: Identification) -> Attestation | None:
    """Stores the attestation of a new identification in the caller's transaction. Returns None if nobody attested."""
    attestation: Attestation | None = getattr(identification, "attestation", None)
    if attestation is not None:
        attestation.save(force_insert=True)
    return attestation


def _parsed(text: str) -> PersonId | None:
    try:
        return parse_swedish_number(text, today=clock.today())
    except ValueError:
        return None


def _faults(carrier: Carrier, attested: Attested, number: PersonId | None, actor: Actor) -> Iterator[_Fault]:
    """Yields field and message of each fault."""
    name = " ".join(attested.attestor_name.split())
    if not name or len(name) > _NAME_LIMIT:
        yield "attestor_name", f"Skriv namnet på den som intygar, med högst {_NAME_LIMIT} tecken."
    holder = people.person_id_of(carrier.holder_id)
    if attested.relation not in relations(holder.age_on(clock.today())):
        yield "relation", "Välj vem som intygar. För den som är under 18 år intygar vårdnadshavaren."
    if attested.attestor_document not in FULL:
        yield "attestor_document", "Välj den svenska id-handling som den som intygar visade."
    if not attested.stated:
        yield "stated", "Bekräfta att intyget är underskrivet och arkiverat."
    if number is None or number.kind is not PersonIdKind.PERSONNUMMER:
        yield "attestor_number", "Skriv personnumret för den som intygar, som ååååmmdd-xxxx."
    elif refusal := _refusal(carrier.organisation, number, holder, actor):
        yield "attestor_number", refusal


def _refusal(organisation: Organisation, number: PersonId, holder: PersonId, actor: Actor) -> str:
    """Returns why the person with this number may not attest, or an empty text."""
    if number == holder:
        return "Innehavaren kan inte intyga för sig själv."
    if (number.age_on(clock.today()) or 0) < OF_AGE:
        return f"Den som intygar ska ha fyllt {OF_AGE} år."
    known = PersonIdentifier.objects.filter(kind=number.kind.value, value=number.value, valid_to=None)
    person_id = known.values_list("person", flat=True).first()
    if person_id is None:
        return ""
    if person_id == actor.person_id:
        return "Du kan inte intyga själv. Någon annan än den som identifierar ska intyga."
    paths = [organisation.scope_path, *paths_above(organisation.scope_path)]
    above = Q(area=organisation.area_id) | Q(organisation__scope_path__in=paths) | Q(area=None, organisation=None)
    if current(RoleGrant.objects.filter(above, person=person_id)).exists():
        return "Den som har en roll i portalen för kortets organisation kan inte intyga. Be någon annan."
    return ""
