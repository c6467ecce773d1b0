"""Withdrawal of an identification that was recorded by mistake (docs/adr/0091)."""

from uuid import UUID

from django.db import transaction as database
from django.db.models import Q

from issuance.activation.domain.transaction_states import OPEN, TransactionAction
from issuance.activation.models import EidAppTransaction, Identification, IdentificationWithdrawal
from issuance.activation.services import transactions
from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid

SHORTEST_REASON, LONGEST_REASON = 5, 300
_ROWS = Identification.objects.select_related("carrier__person", "withdrawal")


def seen(*, actor: Actor, identification_id: UUID) -> Identification:
    """Returns an identification that `actor` may withdraw by role, with its carrier. Raises NotFound, Forbidden (role)."""
    return policy.get(actor, Action.WITHDRAW_IDENTIFICATION, _ROWS.all(), identification_id)


def to_withdraw(*, actor: Actor, identification_id: UUID) -> Identification:
    """Returns the identification that `actor` may withdraw, with its carrier; `withdrawal` is set if it is already withdrawn.
    Raises NotFound, Forbidden (role, another officer's), Conflict if the holder has chosen a code since.
    """
    found = seen(actor=actor, identification_id=identification_id)
    if found.officer_ref != actor.ref and not policy.may(actor, Action.WITHDRAW_ANOTHERS_IDENTIFICATION, found):
        message = "Bara ID-administratören som registrerade identifieringen, eller en ansvarig utgivare, kan ta tillbaka den."
        raise Forbidden("other-clerk", message)
    if found.carrier.code_set_at is not None and not is_withdrawn(found):
        message = "Innehavaren har valt legitimeringskod, så identifieringen kan inte tas tillbaka. Var den fel: spärra kortet."
        raise Conflict("code-set", message)
    return found


def is_withdrawn(identification: Identification) -> bool:
    """Returns whether the identification no longer counts."""
    return getattr(identification, "withdrawal", None) is not None


@database.atomic(durable=True)
def withdraw(*, actor: Actor, identification_id: UUID, reason: str) -> Identification:
    """Withdraws an identification and ends the open transactions based on it. The history keeps it as withdrawn. A repetition
    changes nothing. Raises NotFound, Forbidden, Invalid (field reason), Conflict as `to_withdraw`.
    """
    carrier_id = to_withdraw(actor=actor, identification_id=identification_id).carrier_id
    reason = " ".join(reason.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        message = f"Skriv varför identifieringen ska tas tillbaka, med {SHORTEST_REASON}–{LONGEST_REASON} tecken."
        raise Invalid("withdrawal-reason", message, fields={"reason": [message]})
    Carrier.objects.select_for_update(no_key=True).get(pk=carrier_id)
    found = to_withdraw(actor=actor, identification_id=identification_id)
    if is_withdrawn(found):
        return found
    now = clock.now()
    IdentificationWithdrawal.objects.create(identification=found, officer_ref=actor.ref, reason=reason, at=now)
    Event.record(
        actor_ref=actor.ref,
        action="holder.identification_withdrawn",
        subject_type="identification",
        subject_ref=str(found.pk),
        facts={
            "carrier": str(found.carrier_id),
            "identity_document": found.identity_document,
            "identified_at": found.at.isoformat(),
            "withdrawn_at": now.isoformat(),
            "justification": reason,
        },
    )
    open_now = EidAppTransaction.objects.select_for_update(no_key=True).filter(
        identification=found, state__in=[state.value for state in OPEN]
    )
    for row in open_now.order_by("id"):
        transactions.end(row, TransactionAction.CANCEL, actor_ref=actor.ref, facts={"by": "identification-withdrawn"})
    return found


def withdrawable_of(actor: Actor, identification_ids: list[UUID]) -> set[UUID]:
    """Returns which of the identifications, all visible to `actor`, they may withdraw now."""
    of_anybody = Identification.objects.visible_to(actor, Action.WITHDRAW_ANOTHERS_IDENTIFICATION).values("pk")
    rows = Identification.objects.visible_to(actor, Action.WITHDRAW_IDENTIFICATION).filter(
        Q(officer_ref=actor.ref) | Q(pk__in=of_anybody), pk__in=identification_ids, carrier__code_set_at=None, withdrawal=None
    )
    return set(rows.values_list("pk", flat=True))
