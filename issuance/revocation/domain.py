"""Reasons for revocation (Spärrorsak, rules/issuance 6.3), and the RFC 5280 section 5.3.1 reason of each in a CRL."""

from collections.abc import Mapping
from enum import StrEnum


class RevocationReason(StrEnum):
    """The reason why a carrier or an eID was revoked. Rules set `SYSTEM_REASONS`; nobody can choose them."""

    LOST_OR_STOLEN = "lost_or_stolen"
    SUSPECTED_MISUSE = "suspected_misuse"
    ASSIGNMENT_ENDED = "assignment_ended"
    CHANGED_DETAILS = "changed_details"
    DAMAGED = "damaged"
    REPLACED = "replaced"
    WRONGLY_ISSUED = "wrongly_issued"
    DECEASED = "deceased"
    OTHER = "other"
    NOT_ACTIVATED = "not_activated"
    NOT_SIGNED = "not_signed"
    REMOVED_FROM_CATALOGUE = "removed_from_catalogue"
    PRODUCTION_FAILED = "production_failed"
    RETURNED = "returned"
    CERTIFICATE_REVOKED = "certificate_revoked"
    RENEWED = "renewed"
    NOT_FETCHED = "not_fetched"


SYSTEM_REASONS = frozenset(
    {
        RevocationReason.NOT_ACTIVATED,
        RevocationReason.NOT_SIGNED,
        RevocationReason.REMOVED_FROM_CATALOGUE,
        RevocationReason.PRODUCTION_FAILED,
        RevocationReason.RETURNED,
        RevocationReason.CERTIFICATE_REVOKED,
        RevocationReason.RENEWED,
        RevocationReason.NOT_FETCHED,
    }
)

RFC_5280: Mapping[RevocationReason, str] = {
    RevocationReason.LOST_OR_STOLEN: "keyCompromise",
    RevocationReason.SUSPECTED_MISUSE: "keyCompromise",
    RevocationReason.ASSIGNMENT_ENDED: "affiliationChanged",
    RevocationReason.CHANGED_DETAILS: "superseded",
    RevocationReason.DAMAGED: "superseded",
    RevocationReason.REPLACED: "superseded",
    RevocationReason.WRONGLY_ISSUED: "privilegeWithdrawn",
    RevocationReason.DECEASED: "cessationOfOperation",
    RevocationReason.OTHER: "unspecified",
    RevocationReason.NOT_ACTIVATED: "cessationOfOperation",
    RevocationReason.NOT_SIGNED: "cessationOfOperation",
    RevocationReason.REMOVED_FROM_CATALOGUE: "affiliationChanged",
    RevocationReason.PRODUCTION_FAILED: "cessationOfOperation",
    RevocationReason.RETURNED: "cessationOfOperation",
    RevocationReason.CERTIFICATE_REVOKED: "cessationOfOperation",
    RevocationReason.RENEWED: "superseded",
    RevocationReason.NOT_FETCHED: "cessationOfOperation",
}

SWEDISH: Mapping[RevocationReason, str] = {
    RevocationReason.LOST_OR_STOLEN: "Förlorat eller stulet",
    RevocationReason.SUSPECTED_MISUSE: "Misstanke om obehörig användning",
    RevocationReason.ASSIGNMENT_ENDED: "Avslutad anställning eller uppdrag",
    RevocationReason.CHANGED_DETAILS: "Ändrade uppgifter, till exempel namnbyte",
    RevocationReason.DAMAGED: "Skadat eller ur funktion",
    RevocationReason.REPLACED: "Ersatt av nytt kort",
    RevocationReason.WRONGLY_ISSUED: "Felaktigt utfärdat",
    RevocationReason.DECEASED: "Avliden",
    RevocationReason.OTHER: "Annan orsak",
    RevocationReason.NOT_ACTIVATED: "Ej aktiverat i tid",
    RevocationReason.NOT_SIGNED: "Underskrift saknas",
    RevocationReason.REMOVED_FROM_CATALOGUE: "Person borttagen ur HSA-katalogen",
    RevocationReason.PRODUCTION_FAILED: "Produktionen misslyckades",
    RevocationReason.RETURNED: "Försändelsen kom i retur",
    RevocationReason.CERTIFICATE_REVOKED: "Certifikatet spärrat av certifikatutfärdaren",
    RevocationReason.RENEWED: "Ersatt av nytt SITHS eID",
    RevocationReason.NOT_FETCHED: "Hämtades inte",
}


class Requester(StrEnum):
    """The kind of person who requested a revocation. `NAMED_REQUESTERS` need a name."""

    HOLDER = "holder"
    ORGANISATION = "organisation"
    OFFICER = "officer"
    OTHER = "other"


class RequestChannel(StrEnum):
    """The channel by which the request reached the clerk."""

    VISIT = "visit"
    PHONE = "phone"
    WRITTEN = "written"
    OWN_FINDING = "own_finding"


NAMED_REQUESTERS = frozenset({Requester.ORGANISATION, Requester.OTHER})
