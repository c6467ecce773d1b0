"""What certificates on cards name: the subject and the alternative names, from person, eID and organisation (rules/pki 2)."""

from issuance.carriers.domain.kinds import HSA_PROFILES
from issuance.carriers.models import Eid
from issuance.orders.services.order_checks import common_name
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.records.domain.ids import PersonId


def card_subject(card_serial: str) -> dict[str, str]:
    """Returns the subject of a certificate that names a card and no person."""
    return {"serialNumber": card_serial}


def hsa_subject(person: Person, eid: Eid, top: Organisation) -> dict[str, str]:
    """Returns the subject of the HSA-id pair: the top organisation, the name in use, and the HSA-id as written in the HSA
    directory.
    """
    subject = {
        "countryName": eid.organisation.country,
        "organizationName": top.name,
        "commonName": common_name(person),
        "surname": person.surname,
        "givenName": person.given_name_in_use,
        "serialNumber": eid.hsa_id,
    }
    return subject | ({"title": eid.title} if eid.title else {})


def person_id_subject(person: Person, person_id: PersonId) -> dict[str, str]:
    """Returns the subject of the person-id pair: the same name, the twelve-digit person id, and no organisation."""
    return {
        "countryName": "SE",
        "commonName": common_name(person),
        "surname": person.surname,
        "givenName": person.given_name_in_use,
        "serialNumber": person_id.value,
    }


def subject_alternative(eid: Eid, profile: str) -> dict[str, str]:
    """Returns the assignment's mail address, and for authentication its UPN. The person-id pair has no alternative names."""
    if profile not in HSA_PROFILES:
        return {}
    names = {"rfc822Name": eid.mail} if eid.mail else {}
    return names | ({"userPrincipalName": eid.upn} if eid.upn and profile == "person-hsaid-auth" else {})
