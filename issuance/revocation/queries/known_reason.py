"""The reason for a revocation that the portal knows already, which the form proposes and says why."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import kinds as carrier_kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.register_care.domain import kinds
from issuance.register_care.domain.states import WorkState
from issuance.register_care.services import deciding
from issuance.revocation.domain import RevocationReason
from issuance.revocation.queries.revocation_view import OtherCarrier, RevocationSubject

_CARE = {kinds.ENDED.code: RevocationReason.ASSIGNMENT_ENDED, kinds.RENAMED.code: RevocationReason.CHANGED_DETAILS}
"""The reason that an open row of Registervård about the card gives."""


@dataclass(frozen=True)
class KnownReason:
    """A reason, and why it is proposed."""

    reason: RevocationReason
    why: str


def known_reason(
    *, actor: Actor, subject: RevocationSubject, deceased: bool, others: Sequence[OtherCarrier]
) -> KnownReason | None:
    """Returns the reason that follows from the person register, from a newer card in use of the same organisation, or from
    Registervård; None if none does. `others` are the person's other carriers. At most one query.
    """
    if deceased:
        return KnownReason(RevocationReason.DECEASED, _("Personen är avliden enligt personregistret"))
    if newer := _newer(subject, others):
        return KnownReason(RevocationReason.REPLACED, _("Kortet som slutar på {last} är nyare").format(last=newer.last))
    match _open_care(actor, subject.carrier_id):
        case RevocationReason.ASSIGNMENT_ENDED as reason:
            return KnownReason(reason, _("Personen har inget uppdrag i organisationen enligt HSA-katalogen"))
        case RevocationReason.CHANGED_DETAILS as reason:
            return KnownReason(reason, _("Personen har bytt namn sedan kortet beställdes"))
    return None


def _newer(subject: RevocationSubject, others: Sequence[OtherCarrier]) -> OtherCarrier | None:
    """Returns the ordinary card that has come in the place of the subject, if it is one that can be replaced."""
    if subject.kind != "carrier" or subject.carrier_kind != carrier_kinds.ORDINARY_CARD.code:
        return None
    for each in others:
        same = each.kind == subject.carrier_kind and each.organisation == subject.organisation
        if same and each.state == CarrierState.ACTIVE and subject.valid_from and each.valid_from > subject.valid_from:
            return each
    return None


def _open_care(actor: Actor, carrier_id: UUID) -> RevocationReason | None:
    if not policy.holds(actor, Action.KEEP_REGISTER):
        return None
    rows = deciding.kept_by(actor).filter(carrier=carrier_id, state=WorkState.OPEN.value, kind__in=_CARE)
    found = rows.order_by("due").values_list("kind", flat=True).first()
    return _CARE[found] if found else None
