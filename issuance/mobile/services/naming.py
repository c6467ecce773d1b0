"""The holder's name of a device."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.carrier_states import INVALID
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.models import Carrier
from issuance.mobile.models import LONGEST_NAME
from issuance.records.models.events import Event
from siths_portal.lib.errors import Conflict, Invalid


def checked(name: str) -> str:
    """Returns the name without space around it. Raises Invalid unless it has 1–60 printable characters."""
    text = " ".join(name.split())
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        message = f"Skriv ett namn på enheten med högst {LONGEST_NAME} tecken."
        raise Invalid("device-name", message, fields={"device": [message]})
    return text


@transaction.atomic(durable=True)
def rename(*, actor: Actor, carrier_id: UUID, device: str) -> Carrier:
    """Names the device of a mobile eID of the holder's. The same name writes nothing; the event does not tell the name.

    Raises NotFound, Forbidden, Invalid (`device`), Conflict for one that is not valid any more.
    """
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True).filter(kind=MOBILE_EID.code)
    carrier = policy.get(actor, Action.ENROL_MOBILE_EID, rows, carrier_id)
    name = checked(device)
    if carrier.state in INVALID:
        raise Conflict("mobile-not-valid", "Det här mobila SITHS:et gäller inte längre.")
    if carrier.device != name:
        carrier.device = name
        carrier.save(update_fields=["device"])
        Event.record(actor_ref=actor.ref, action="carrier.renamed", subject_type="carrier", subject_ref=str(carrier.pk))
    return carrier
