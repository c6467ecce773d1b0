"""The statements of a hand-out's officers, as their pages follow them."""

from dataclasses import dataclass
from uuid import UUID

from issuance.activation.domain.transaction_states import TransactionState
from issuance.activation.models import Statement
from issuance.activation.services import statements, transactions
from issuance.activation.services.visits import Opened
from issuance.authz import Actor
from issuance.reserve_cards.domain import IssueState
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.services import approving, handing_out
from siths_portal.lib.errors import NotFound


@dataclass(frozen=True)
class Signing:
    """A statement that an officer signs, its present state, and the hand-out that it is about."""

    statement: Statement
    state: TransactionState
    issue: ReserveCardIssue
    is_first: bool


def seen(*, actor: Actor, transaction_id: UUID) -> Signing:
    """Returns a statement that `actor` opened. Raises NotFound for anybody else's."""
    try:
        found, is_first = statements.seen(actor, transaction_id, handing_out.PURPOSE), True
    except NotFound:
        found, is_first = statements.seen(actor, transaction_id, approving.PURPOSE), False
    issue = ReserveCardIssue.objects.select_related("carrier", "person").get(pk=found.subject_ref)
    return Signing(found, transactions.state_now(found.transaction), issue, is_first)


def renew(*, actor: Actor, transaction_id: UUID) -> Opened:
    """Returns a new handle for the app. Raises NotFound, Conflict if the app has started or the statement has ended."""
    return statements.renew(actor, transaction_id, seen(actor=actor, transaction_id=transaction_id).statement.purpose)


def cancel(*, actor: Actor, transaction_id: UUID) -> Signing:
    """Cancels a statement that is not signed, and with the first officer's the hand-out. Raises NotFound."""
    found = seen(actor=actor, transaction_id=transaction_id)
    statements.cancel(actor, transaction_id, found.statement.purpose)
    if found.is_first and found.issue.state == IssueState.PROPOSED:
        approving.withdraw(actor=actor, issue_id=found.issue.pk)
    return seen(actor=actor, transaction_id=transaction_id)
