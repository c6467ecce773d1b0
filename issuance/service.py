"""The door of issuance for billing: facts in frozen dataclasses, never rows."""

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
    offices,
    parties_visible_to,
    sent_card_count,
    subscription_counts,
)

__all__ = [
    "ArticleView",
    "BillableFact",
    "BillingParty",
    "OfficeView",
    "SubscriptionCount",
    "VisibleParties",
    "articles",
    "billable_facts",
    "billing_parties",
    "offices",
    "parties_visible_to",
    "sent_card_count",
    "subscription_counts",
]
