"""The activation of a reserve card by its holder on Mina sidor, without a further visit (rules/issuance 5.7).

The holder has logged in with the card's transport certificate, so the session is of the card. The identification at the hand-out
takes the place of a visit, for `OWN_ACTIVATION_DAYS`. `issue_check` demands it again in the `pki` worker.
"""

import datetime as dt
from uuid import UUID

from django.db import transaction as database

from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionState
from issuance.activation.models import EidAppTransaction
from issuance.activation.services import activation, identifications, transactions, visits
from issuance.activation.services.visits import Opened
from issuance.authz import Actor
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.people.services import people
from issuance.reserve_cards.domain import OWN_ACTIVATION_DAYS, IssueState
from issuance.reserve_cards.models import ReserveCardIssue
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, NotFound, TooManyRequests

MOST_A_DAY = 10
"""How often a card may begin its activation in 24 hours: each time reads the external systems."""

_DAY = dt.timedelta(days=1)


def waiting(actor: Actor) -> ReserveCardIssue | None:
    """Returns the hand-out by which the card's holder may activate it now, or None: the holder was identified at it, a short time
    ago, and nobody has withdrawn that.
    """
    waits_in = [CarrierState.RESERVED.value, CarrierState.ACTIVATED_UNSIGNED.value]
    bound = ReserveCardIssue.objects.filter(carrier=actor.carrier_id, carrier__state__in=waits_in, state=IssueState.BOUND.value)
    newest = bound.select_related("identification__withdrawal").order_by("-created_at", "-pk").first()
    found = newest.identification if newest else None
    if found is None or identifications.is_withdrawn(found):
        return None
    return newest if found.at > clock.now() - dt.timedelta(days=OWN_ACTIVATION_DAYS) else None


def open_for(*, actor: Actor) -> Opened:
    """Opens a transaction in which the holder chooses the card's code and signs the receipt. First reads assignment and person
    live. Supersedes the card's own open transaction.

    Raises NotFound (no session of a card), Conflict (not identified at the hand-out, the card does not wait, an obstacle of the
    person, an officer helps with the card just now), TooManyRequests, Unavailable (external systems, PDF).
    """
    if actor.carrier_id is None:
        raise _unknown()
    carrier = activation.get(actor, activation.carriers_to_activate(), actor.carrier_id)
    issue = waiting(actor)
    if issue is None or issue.identification is None:
        raise Conflict("not-identified", "Kortet kan inte aktiveras här. Gå till den ID-administratör som lämnade ut det.")
    _require_not_too_often(actor)
    card = activation.ready(carrier)
    live = people.read_live(card.post)
    people.remember(post_id=card.post.pk, live=live)
    activation.check_holder(card, live)
    return activation.open_transaction(actor, card, issue.identification)


def seen(actor: Actor, transaction_id: UUID) -> EidAppTransaction:
    """Returns a transaction that a session of the card opened, with the card. Raises NotFound for anybody else's."""
    rows = EidAppTransaction.objects.select_related("carrier")
    found = rows.filter(pk=transaction_id, carrier=actor.carrier_id, officer_ref=actor.ref).first()
    if found is None or actor.carrier_id is None:
        raise _unknown()
    return found


@database.atomic(durable=True)
def renew(*, actor: Actor, transaction_id: UUID) -> Opened:
    """Returns a new handle for a transaction that waits for the app. Raises NotFound, Conflict if it no longer waits."""
    _carrier, row = transactions.locked_with_carrier(seen(actor, transaction_id))
    transactions.require_open(row)
    if row.state != TransactionState.CREATED:
        raise Conflict("activation-under-way", "Appen är redan öppnad. Fortsätt i den, eller avbryt och börja om.")
    return visits.give_handle(actor, row)


@database.atomic(durable=True)
def cancel(*, actor: Actor, transaction_id: UUID) -> EidAppTransaction:
    """Cancels an open transaction; an ended one stays as it is. Raises NotFound."""
    _carrier, row = transactions.locked_with_carrier(seen(actor, transaction_id))
    if TransactionState(row.state) in OPEN:
        transactions.end(row, TransactionAction.CANCEL, actor_ref=actor.ref, facts={"by": "holder"})
    return row


def _require_not_too_often(actor: Actor) -> None:
    begun = EidAppTransaction.objects.filter(carrier=actor.carrier_id, officer_ref=actor.ref, created_at__gt=clock.now() - _DAY)
    if begun.count() >= MOST_A_DAY:
        message = "Aktiveringen har påbörjats för många gånger i dag. Gå till den ID-administratör som lämnade ut kortet."
        raise TooManyRequests("activation-too-often", message, retry_after=int(_DAY.total_seconds()))


def _unknown() -> NotFound:
    return NotFound("not-found", "Aktiveringen finns inte.")
