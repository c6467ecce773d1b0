"""Who signed the hand-out of a reserve card on level 3, for its receipt."""

from collections.abc import Collection
from uuid import UUID

from issuance.activation.services.receipt_content import Signer
from issuance.reserve_cards.domain import IssueState
from issuance.reserve_cards.models import ReserveCardIssue


def signers(eids: Collection[UUID]) -> list[Signer]:
    """Returns the officers who signed the hand-outs of these eIDs, in the order of their signatures."""
    bound = ReserveCardIssue.objects.filter(eid__in=eids, state=IssueState.BOUND.value, second_statement__isnull=False)
    found = []
    for issue in bound.select_related("first_statement", "second_statement").order_by("created_at"):
        for officer, document, statement in (
            (issue.officer_ref, issue.identity_document, issue.first_statement),
            (issue.approver_ref, issue.approver_document, issue.second_statement),
        ):
            if statement is not None and statement.signed_at is not None:
                found.append(Signer(officer, document, statement.signed_at))
    return found
