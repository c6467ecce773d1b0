"""The hold of a card's certificates: from issuance until the holder has chosen the code (`pki.revocation.holds`)."""

from uuid import UUID

from django.conf import settings

from issuance.carriers.models import Carrier, CarrierCertificate
from pki import service as pki
from siths_portal.lib.errors import Unavailable

HELD_KINDS = frozenset({"ordinary_card"})
"""Kinds of carrier whose certificates are on hold when the supplier gets them."""


def plan_release(carrier: Carrier, delivery_id: UUID, *, actor_ref: str) -> None:
    """Asks the `pki` worker to end the hold, by the proof that came with the delivery. Joins the caller's transaction."""
    pki.plan_release(_certificate_ids(carrier), delivery_id=delivery_id, actor_ref=actor_ref)


def await_release(carrier: Carrier) -> None:
    """Waits until the hold has ended. Raises Unavailable if it has not within EID_APP_WAIT_SECONDS. Not in a transaction."""
    if not pki.wait_until_released(_certificate_ids(carrier), seconds=settings.EID_APP_WAIT_SECONDS):
        raise Unavailable("certificates-on-hold", "Kortets certifikat görs giltiga just nu. Vänta en stund och skriv under igen.")


def _certificate_ids(carrier: Carrier) -> list[UUID]:
    return list(CarrierCertificate.objects.filter(carrier=carrier).values_list("certificate_id", flat=True))
