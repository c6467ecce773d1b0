"""Tables of issuance: the tree and its configuration, people, carriers with their eIDs, orders, and the audit."""

from issuance.activation.models import (
    Attestation,
    CertificateRequest,
    DocumentJudgement,
    DocumentSuspicion,
    EidAppTransaction,
    Identification,
    IdentificationWithdrawal,
    PreparedReceipt,
    ReceiptValidation,
    Statement,
)
from issuance.articles.models import Article, OrganisationArticle, SubscriptionFee
from issuance.carriers.models import Carrier, CarrierCertificate, Eid, Receipt
from issuance.customisations.models import CardCustomisation, CustomisationRequest
from issuance.day.models import DailyOutcome
from issuance.imports.models import SetupImport
from issuance.mobile.models import MobileEnrolment, MobileRequest
from issuance.notices.models import EidNotice
from issuance.offices.models import Office, OrganisationOffice
from issuance.operators.models import CertificateSearch, MassTrial
from issuance.orders.models.delivery_times import DeliveryTime
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.organisations.models import FormerIssuer, FormerPlace, IssuingArea, Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import CatalogueName, Person, PersonIdentifier, Post
from issuance.people.models.photos import Photo
from issuance.receipt_texts.models import ReceiptText
from issuance.records.models.events import Document, Event, EventMacs, EventSeal
from issuance.register_care.models import CardReminder, CareRun, WorkItem
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.revocation.models import HeldRevocation, HeldRevocationState
from issuance.roles.models.extended_reach import ExtendedReach
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.models.role_requests import RoleRequest, RoleRequestState
from issuance.search.models import Search
from issuance.stock.models import StockCard, StockCount, StockLevel
from issuance.suppliers.models import SupplierChange, SupplierEvent
from issuance.suppliers.push.models import PushAnswer, PushAttempt, PushDelivery, SupplierConnection

__all__ = [
    "Article",
    "Attestation",
    "CardCustomisation",
    "CardOrder",
    "CardReminder",
    "CareRun",
    "Carrier",
    "CarrierCertificate",
    "CatalogueName",
    "CertificateRequest",
    "CertificateSearch",
    "CustomisationRequest",
    "DailyOutcome",
    "DeliveryTime",
    "Document",
    "DocumentJudgement",
    "DocumentSuspicion",
    "Eid",
    "EidAppTransaction",
    "EidNotice",
    "EidOrder",
    "Event",
    "EventMacs",
    "EventSeal",
    "ExtendedReach",
    "FormerIssuer",
    "FormerPlace",
    "HeldRevocation",
    "HeldRevocationState",
    "Identification",
    "IdentificationWithdrawal",
    "IssuingArea",
    "MassTrial",
    "MobileEnrolment",
    "MobileRequest",
    "Office",
    "OrderDraft",
    "OrderItem",
    "Organisation",
    "OrganisationArticle",
    "OrganisationOffice",
    "Person",
    "PersonIdentifier",
    "PersonScope",
    "Photo",
    "Post",
    "PreparedReceipt",
    "PushAnswer",
    "PushAttempt",
    "PushDelivery",
    "Qualification",
    "Receipt",
    "ReceiptText",
    "ReceiptValidation",
    "ReserveCardIssue",
    "RoleGrant",
    "RoleRequest",
    "RoleRequestState",
    "Search",
    "SetupImport",
    "Statement",
    "StockCard",
    "StockCount",
    "StockLevel",
    "SubscriptionFee",
    "SupplierChange",
    "SupplierConnection",
    "SupplierEvent",
    "WorkItem",
]
