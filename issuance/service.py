"""The public interface of issuance for billing and the wiring: facts in frozen dataclasses, never rows, and checks."""

from issuance.activation.services.identification_integrity import verify_identifications
from issuance.activation.services.receipt_integrity import verify_receipts
from issuance.billing_facts import (
    ArticleView,
    BillableFact,
    BillingParty,
    OfficeView,
    SubscriptionCount,
    articles,
    billable_facts,
    billing_parties,
    offered_articles,
    offices,
    sent_pieces,
    subscription_counts,
)
from issuance.billing_holders import (
    EidHolder,
    OrderedCard,
    eid_carriers,
    eid_holders,
    may_name_holders,
    ordered_cards,
    record_named_holders,
    record_named_holders_file,
    require_naming_holders,
)
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.organisations.queries.invoiced_parties import parties_visible_to
from issuance.people.services.people_integrity import verify_people
from issuance.records.services.two_persons import require_second
from issuance.roles.queries.colleagues import colleagues
from issuance.roles.services.role_rebuilding import verify_roles

__all__ = [
    "ArticleView",
    "BillableFact",
    "BillingParty",
    "EidHolder",
    "OfficeView",
    "OrderedCard",
    "SubscriptionCount",
    "articles",
    "billable_facts",
    "billing_parties",
    "colleagues",
    "eid_carriers",
    "eid_holders",
    "may_name_holders",
    "offered_articles",
    "offices",
    "ordered_cards",
    "parties_visible_to",
    "record_named_holders",
    "record_named_holders_file",
    "require_naming_holders",
    "require_second",
    "sent_pieces",
    "subscription_counts",
    "verify_identifications",
    "verify_people",
    "verify_receipts",
    "verify_roles",
    "verify_states",
]
