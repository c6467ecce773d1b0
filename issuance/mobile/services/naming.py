"""The holder's name of a device."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.carrier_states import INVALID
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.models import Carrier
from issuance.mobile.models import LONGEST_NAME
from issuance.mobile.services import enrolments
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from siths_portal.lib.errors import Conflict, Invalid


def checked(name: str) -> str:
    """Returns the name without space around it. Raises Invalid unless it has 1–60 printable characters."""
    text = " ".join(name.split())
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        message = f"Skriv ett namn på enheten med högst {LONGEST_NAME} tecken."
        raise Invalid("device-name", message, fields={"device": [message]})
    return text


def unused(name: str, person_id: UUID) -> str:
    """Returns the name, with a number after it if another valid mobile eID of the person has it, in upper or lower case.

    Callers have locked the person.
    """
    taken = _taken(person_id)
    numbered, number = name, 1
    while numbered.casefold() in taken:
        number += 1
        numbered = f"{name[: LONGEST_NAME - len(str(number)) - 1]} {number}"
    return numbered


def _taken(person_id: UUID, *, but: UUID | None = None) -> set[str]:
    """Returns the names of the person's valid mobile eIDs, without regard to case."""
    valid = enrolments.valid_mobiles(person_id).values_list("pk", "device")
    return {name.casefold() for carrier_id, name in valid if carrier_id != but}


@transaction.atomic(durable=True)
def rename(*, actor: Actor, carrier_id: UUID, device: str) -> Carrier:
    """Names the device of a mobile eID of the holder's. The same name writes nothing; the event does not tell the name.

    Raises NotFound, Forbidden, Invalid (`device`, also for the name of another one of the holder's), Conflict for one that is not
    valid any more.
    """
    # The person first, as `enrolments.locked` does: names of one person change one after the other.
    if actor.person_id is not None:
        Person.objects.select_for_update(no_key=True).get(pk=actor.person_id)
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True).filter(kind=MOBILE_EID.code)
    carrier = policy.get(actor, Action.ENROL_MOBILE_EID, rows, carrier_id)
    name = checked(device)
    if carrier.state in INVALID:
        raise Conflict("mobile-not-valid", "Det här mobila SITHS:et gäller inte längre.")
    if carrier.device != name:
        if name.casefold() in _taken(actor.own_id, but=carrier.pk):
            message = "Du har redan en enhet med det namnet. Välj ett annat namn."
            raise Invalid("device-name-taken", message, fields={"device": [message]})
        carrier.device = name
        carrier.save(update_fields=["device"])
        Event.record(actor_ref=actor.ref, action="carrier.renamed", subject_type="carrier", subject_ref=str(carrier.pk))
    return carrier
