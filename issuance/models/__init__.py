"""Tables of issuance: the tree and its configuration, people, carriers with their eIDs, orders, and the audit."""

from issuance.models.activation import EidAppTransaction, Identification, IdentificationWithdrawal, PreparedReceipt
from issuance.models.carriers import Carrier, CarrierCertificate, Eid, Receipt
from issuance.models.drafts import OrderDraft
from issuance.models.events import Document, Event, EventMacs, EventSeal
from issuance.models.held_revocations import HeldRevocation, HeldRevocationState
from issuance.models.imports import SetupImport
from issuance.models.mass_trials import MassTrial
from issuance.models.orders import CardOrder, SupplierEvent
from issuance.models.organisations import (
    Article,
    CardCustomisation,
    CustomisationRequest,
    FormerIssuer,
    FormerPlace,
    IssuingArea,
    Office,
    Organisation,
    OrganisationArticle,
    OrganisationOffice,
    ReceiptText,
    SubscriptionFee,
)
from issuance.models.person_scope import PersonScope
from issuance.models.persons import Person, PersonIdentifier, Post, RoleGrant
from issuance.models.photos import Photo
from issuance.models.qualifications import Qualification
from issuance.models.role_requests import RoleRequest, RoleRequestState
from issuance.models.searches import CertificateSearch, ExtendedReach, Search

__all__ = [
    "Article",
    "CardCustomisation",
    "CardOrder",
    "Carrier",
    "CarrierCertificate",
    "CertificateSearch",
    "CustomisationRequest",
    "Document",
    "Eid",
    "EidAppTransaction",
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
    "Office",
    "OrderDraft",
    "Organisation",
    "OrganisationArticle",
    "OrganisationOffice",
    "Person",
    "PersonIdentifier",
    "PersonScope",
    "Photo",
    "Post",
    "PreparedReceipt",
    "Qualification",
    "Receipt",
    "ReceiptText",
    "RoleGrant",
    "RoleRequest",
    "RoleRequestState",
    "Search",
    "SetupImport",
    "SubscriptionFee",
    "SupplierEvent",
]
