"""The public interface of issuance for billing and the wiring: facts in frozen dataclasses, never rows, and checks."""

from issuance.queries.billing_facts import (
    ArticleView,
    BillableFact,
    BillingParty,
    OfficeView,
    SubscriptionCount,
    VisibleParties,
    articles,
    billable_facts,
    billing_parties,
    offered_articles,
    offices,
    parties_visible_to,
    sent_card_count,
    subscription_counts,
)
from issuance.services.receipt_integrity import ReceiptCheck, verify_receipts
from issuance.services.role_rebuilding import RoleCheck, verify_roles
from issuance.services.state_integrity import StateCheck, verify_states
from issuance.services.two_persons import require_second

__all__ = [
    "ArticleView",
    "BillableFact",
    "BillingParty",
    "OfficeView",
    "ReceiptCheck",
    "RoleCheck",
    "StateCheck",
    "SubscriptionCount",
    "VisibleParties",
    "articles",
    "billable_facts",
    "billing_parties",
    "offered_articles",
    "offices",
    "parties_visible_to",
    "require_second",
    "sent_card_count",
    "subscription_counts",
    "verify_receipts",
    "verify_roles",
    "verify_states",
]
