"""The certificates that a card has for its activation: those of the carrier, and those of the eID that is activated.

A reserve card that was used before still has the ended certificates of its earlier eIDs. They do not count.
"""

from uuid import UUID

from django.db.models import Q

from issuance.carriers.domain import kinds
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import Owner, Stage
from issuance.carriers.models import Carrier


def ids(carrier: Carrier) -> list[UUID]:
    """Returns the ids in `pki` of the certificates that the activation is about."""
    kind = kinds.kind_of(carrier.kind)
    rows = carrier.certificates.filter(profile__in=kind.profiles())
    if kind.makes_keys_at_activation:
        rows = rows.filter(Q(eid=None) | Q(eid__state=EidState.ORDERED.value))
    return list(rows.values_list("certificate_id", flat=True))


def made_before(carrier: Carrier) -> list[UUID]:
    """Returns the ids in `pki` of the certificates that the supplier wrote on the card, by which the app names it."""
    kind = kinds.kind_of(carrier.kind)
    rows = carrier.certificates.filter(profile__in=kind.profiles(stage=Stage.PERSONALISATION))
    return list(rows.values_list("certificate_id", flat=True))


def of_eid(carrier: Carrier) -> tuple[str, ...]:
    """Returns the profiles that are certified when the card is activated; none for a card that its supplier finishes."""
    return kinds.kind_of(carrier.kind).profiles(Owner.EID, Stage.ACTIVATION)
