"""How long each table of the database keeps its rows, and why: the only place that says so.

A test compares RULES with the models and with the privileges: a model without a rule fails, and so does a role that may delete
what is kept. Periods are in Swedish, since `ops_retention --table` prints them.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db.models import Q

from authn.services import kept_forms, log_in, sessions
from issuance.day.services import counting_outcome
from pki.health import SAMPLES_KEPT


class Outcome(StrEnum):
    """What becomes of the rows of a table: kept, kept without what was secret, replaced by newer values, or deleted."""

    KEPT = "bevaras"
    EMPTIED = "töms"
    CURRENT = "ersätts"
    DELETED = "gallras"


@dataclass(frozen=True)
class Rule:
    """The rule of a table. `source` is the law, the requirement or the setting that decides the period.

    `drafts` tells which rows a process may delete although the table is kept; empty if none.
    """

    outcome: Outcome
    period: str
    source: str
    drafts: str = ""


JOB = "ops.retention"
"""The task that deletes what no other task does."""


_ALL = Q()


@dataclass(frozen=True)
class Disposal:
    """Which rows of a table have had their time: those that match `where` and whose `field` is older than `keep`.

    `task` is the entry of the schedule that deletes them.
    """

    field: str
    keep: Callable[[], dt.timedelta]
    task: str
    where: Q = _ALL


_TEN_YEARS = "minst tio år efter att det som raden styrker slutade gälla"
EVIDENCE = Rule(Outcome.KEPT, _TEN_YEARS, "Tillitsramverket K2.7 och K2.8")
FOUND_WANTING = Rule(Outcome.KEPT, _TEN_YEARS, EVIDENCE.source, drafts="rapporter som inte längre går att utföra")
PHOTOS = Rule(Outcome.KEPT, _TEN_YEARS, EVIDENCE.source, drafts="foton som ingen har godkänt")
ARCHIVE = Rule(
    Outcome.KEPT, "minst tio år efter att utfärdarens sista certifikat slutade gälla", "Tillitsramverket K2.7 och K2.8"
)
SECRETS = Rule(Outcome.EMPTIED, "hemligheten till kortets sista dag, raden minst tio år", "docs/rules/pki.md 7")
CHAIN = Rule(Outcome.KEPT, "så länge kedjan av händelser ska gå att kontrollera", "Tillitsramverket K2.7 och K2.8, ADR 0142")
BOOKS = Rule(Outcome.KEPT, "till och med sjunde året efter räkenskapsårets kalenderår", "Bokföringslagen 7 kap. 2 §")
BOOK_DRAFTS = Rule(Outcome.KEPT, BOOKS.period, BOOKS.source, drafts="utkast; en trigger vägrar att ta bort det som är utfärdat")
STATEMENTS = Rule(Outcome.KEPT, BOOKS.period, BOOKS.source, drafts="filer som ingen bokförde i tid")
PRESENT = Rule(Outcome.CURRENT, "så länge uppgiften gäller; händelserna har de tidigare", "docs/architecture.md")
OPEN_ONLY = Rule(Outcome.DELETED, "till ärendet är klart eller avslutat", "docs/rules/issuance.md 5.3")


def _deleted(period: str, source: str) -> Rule:
    return Rule(Outcome.DELETED, period, source)


_SESSIONS = _deleted("sju dagar efter att sessionen avslutades", "docs/rules/authn.md")
_LOG_INS = _deleted("två dagar", "docs/rules/authn.md")
_SEARCHES = _deleted("ett dygn (SEARCH_KEEP_HOURS)", "docs/settings.md")
_UPLOADS = _deleted("till filen utförs eller dess tid går ut", "ADR 0350")

_RULES: tuple[tuple[Rule, str, str], ...] = (
    (CHAIN, "authn", "Event EventSeal EventMacs"),
    (CHAIN, "pki", "Event EventSeal EventMacs"),
    (CHAIN, "issuance", "Event EventSeal EventMacs"),
    (CHAIN, "billing", "Event EventSeal EventMacs"),
    # --- authn
    (PRESENT, "authn", "ServiceClient ClientCertificate"),
    (_deleted("trettio dagar (IDEMPOTENCY_KEEP_DAYS)", "docs/settings.md"), "authn", "IdempotencyRecord"),
    (_SESSIONS, "authn", "Session"),
    (_deleted("två timmar", "docs/rules/authn.md"), "authn", "KeptForm"),
    (_LOG_INS, "authn", "LogInAttempt LogInTicket UsedToken"),
    (_deleted("tre år efter den senaste inloggningen", "Dataskyddsförordningen artikel 5.1 e"), "authn", "LastLogIn"),
    # --- pki
    (
        ARCHIVE,
        "pki",
        "ApprovalRequest Approval CertificateAuthority ProfileVersion KeyCeremony",
    ),
    (ARCHIVE, "pki", "Certificate CertificateBlob Revocation ClientOrder Crl CrlScope IssuanceSet RefusedRequest HoldRelease"),
    (ARCHIVE, "pki", "ModulusBlock RsaKey ProfileLint HsmKey KeyInventory MassRevocation MassRevocationMember OcspSigner"),
    (ARCHIVE, "pki", "CeremonyProposal CeremonySignature CaImport ImportFinding CaComparison CardReconciliation AuditCheck"),
    (SECRETS, "pki", "Secret SecretDelivery"),
    (PRESENT, "pki", "ClientPermission ClockMark HealthReport StatusReport OcspResponse OcspUnknown"),
    (_deleted("fjorton dagar", "docs/operations.md"), "pki", "HealthSample"),
    # --- issuance
    (
        EVIDENCE,
        "issuance",
        "Organisation FormerPlace FormerIssuer Person PersonIdentifier Post",
    ),
    (
        EVIDENCE,
        "issuance",
        "Carrier Eid CarrierCertificate Receipt ReceiptText Document CardOrder OrderItem EidOrder",
    ),
    (EVIDENCE, "issuance", "Identification IdentificationWithdrawal Attestation DocumentSuspicion DocumentJudgement Statement"),
    (EVIDENCE, "issuance", "EidAppTransaction CertificateRequest MobileEnrolment MobileRequest ReserveCardIssue HeldRevocation"),
    (EVIDENCE, "issuance", "StockCard StockCount SupplierChange PushDelivery PushAttempt PushAnswer"),
    (EVIDENCE, "issuance", "ReceiptValidation RoleGrant Qualification RoleRequest WorkItem CareRun CardReminder EidNotice"),
    (FOUND_WANTING, "issuance", "SupplierEvent"),
    (PHOTOS, "issuance", "Photo"),
    (PRESENT, "issuance", "IssuingArea SubscriptionFee Article OrganisationArticle Office OrganisationOffice CardCustomisation"),
    (PRESENT, "issuance", "CustomisationRequest CatalogueName PersonScope StockLevel SupplierConnection DeliveryTime"),
    (OPEN_ONLY, "issuance", "PreparedReceipt"),
    (_SEARCHES, "issuance", "Search CertificateSearch MassTrial"),
    (_deleted("till den beviljade tiden är slut", "docs/rules/issuance.md"), "issuance", "ExtendedReach"),
    (_UPLOADS, "issuance", "SetupImport CarrierImport"),
    (_deleted("hundra dagar", "docs/operations.md"), "issuance", "DailyOutcome"),
    (_deleted("ett år efter den senaste ändringen, om inget beställdes", "docs/rules/issuance.md 3.1"), "issuance", "OrderDraft"),
    # --- billing
    (BOOKS, "billing", "Document RetentionRule BillingCustomer EndpointChange CustomerConfirmation PriceItem PriceChange"),
    (BOOKS, "billing", "LedgerEntry SubscriptionSnapshot SubscriptionEvidence EntryRelease Counter SeriesCorrection UsedNumber"),
    (BOOKS, "billing", "InvoiceFile CreditRequest CreditRequestLine Delivery DeliveryAttempt Notice Payment PaymentAllocation"),
    (BOOKS, "billing", "Dispute Reminder InvoiceRun RunItem RunApproval RunCheck"),
    (BOOK_DRAFTS, "billing", "Invoice InvoiceLine LineEvent"),
    (STATEMENTS, "billing", "PaymentFile"),
    (PRESENT, "billing", "FeedPosition UnpricedFact"),
    (_UPLOADS, "billing", "CustomerImport PriceImport"),
    # --- Django's own tables, which the portal does not write.
    (PRESENT, "auth", "Permission Group User"),
    (PRESENT, "contenttypes", "ContentType"),
)


def _by_label() -> Iterator[tuple[str, Rule]]:
    for rule, app, models in _RULES:
        for model in models.split():
            yield f"{app}.{model}", rule


RULES: Mapping[str, Rule] = dict(_by_label())
"""By the label of the model, `app.Model`."""

_NONE = dt.timedelta()


def _searches_are_kept() -> dt.timedelta:
    return dt.timedelta(hours=max(settings.SEARCH_KEEP_HOURS, 1))


_SEARCHED = Disposal("created_at", _searches_are_kept, "issuance.forget_searches")

DISPOSALS: Mapping[str, Disposal] = {
    "authn.IdempotencyRecord": Disposal(
        "claimed_at", lambda: dt.timedelta(days=settings.IDEMPOTENCY_KEEP_DAYS), "authn.prune_idempotency"
    ),
    "authn.Session": Disposal("ended_at", lambda: dt.timedelta(days=sessions.KEPT_DAYS), "authn.end_sessions"),
    "authn.KeptForm": Disposal("kept_at", lambda: kept_forms.KEPT_FOR, "authn.end_sessions"),
    "authn.LogInAttempt": Disposal("started_at", lambda: dt.timedelta(days=log_in.USED_DAYS), "authn.prune_log_ins"),
    "authn.LogInTicket": Disposal("issued_at", lambda: dt.timedelta(days=log_in.USED_DAYS), "authn.prune_log_ins"),
    "authn.UsedToken": Disposal("used_at", lambda: dt.timedelta(days=log_in.USED_DAYS), "authn.prune_log_ins"),
    "authn.LastLogIn": Disposal("at", lambda: dt.timedelta(days=1096), JOB),
    "pki.HealthSample": Disposal("at", lambda: SAMPLES_KEPT, "pki.measure_health"),
    "issuance.Search": _SEARCHED,
    "issuance.CertificateSearch": _SEARCHED,
    "issuance.MassTrial": _SEARCHED,
    "issuance.ExtendedReach": Disposal("until", lambda: _NONE, "issuance.forget_searches"),
    "issuance.SetupImport": Disposal("expires_at", lambda: _NONE, "issuance.forget_searches"),
    "issuance.CarrierImport": Disposal("expires_at", lambda: _NONE, "issuance.forget_searches"),
    "issuance.DailyOutcome": Disposal("day", lambda: dt.timedelta(days=counting_outcome.KEPT_DAYS), "issuance.count_outcome"),
    "issuance.OrderDraft": Disposal("updated_at", lambda: dt.timedelta(days=366), JOB, ~Q(state="submitted")),
    "billing.CustomerImport": Disposal("expires_at", lambda: _NONE, "billing.forget_files"),
    "billing.PriceImport": Disposal("expires_at", lambda: _NONE, "billing.forget_files"),
    "billing.PaymentFile": Disposal("expires_at", lambda: _NONE, "billing.forget_files", Q(booked_at=None)),
}
"""The rows whose time is a number of days, by the label of the model."""
