"""Tables of the certification authorities. They contain no persons: `*_ref` columns are opaque text from the caller.

Start in `authorities` and `certificates`; `choices` has the states. Each package makes the state transitions of its subject.

Lock order everywhere: rows of `Certificate` by id, then the row of `CertificateAuthority`.
"""

from pki.models.approvals import Approval, ApprovalRequest
from pki.models.authorities import CertificateAuthority, CertificateAuthorityQuerySet, ProfileVersion, draw_status_versions
from pki.models.ceremonies import CeremonyProposal, CeremonySignature, KeyCeremony
from pki.models.certificates import Certificate, CertificateBlob, Fingerprint, Revocation
from pki.models.choices import (
    ANSWERED,
    ANSWERING,
    COMPROMISE,
    HOLDER_REASONS,
    ONLINE,
    ApprovalAction,
    ApprovalState,
    CaState,
    CeremonyState,
    CertIdHash,
    CertificateStatus,
    Decision,
    DeliveryState,
    ImportState,
    KeyFinding,
    KeyProvenance,
    KeyPurpose,
    MassRevocationState,
    NoncePolicy,
    RevocationChannel,
    RevocationReason,
    SealVersion,
    SecretState,
    SerialMode,
    SetState,
)
from pki.models.clients import ClientOrder, ClientPermission
from pki.models.crls import Crl, CrlScope
from pki.models.events import ClockMark, Event, EventMacs, EventSeal
from pki.models.health import AuditCheck, HealthReport, HealthSample, StatusReport
from pki.models.holds import HoldRelease
from pki.models.imports import CaComparison, CaImport, ImportFinding
from pki.models.issuance import IssuanceSet, ModulusBlock, ProfileLint, RsaKey
from pki.models.keys import HsmKey, KeyInventory
from pki.models.mass_revocations import MassRevocation, MassRevocationMember
from pki.models.reconciliations import CardReconciliation
from pki.models.requests import RefusedRequest
from pki.models.secrets import Secret, SecretDelivery
from pki.models.status import OcspResponse, OcspSigner, OcspUnknown

__all__ = [
    "ANSWERED",
    "ANSWERING",
    "COMPROMISE",
    "HOLDER_REASONS",
    "ONLINE",
    "Approval",
    "ApprovalAction",
    "ApprovalRequest",
    "ApprovalState",
    "AuditCheck",
    "CaComparison",
    "CaImport",
    "CaState",
    "CardReconciliation",
    "CeremonyProposal",
    "CeremonySignature",
    "CeremonyState",
    "CertIdHash",
    "Certificate",
    "CertificateAuthority",
    "CertificateAuthorityQuerySet",
    "CertificateBlob",
    "CertificateStatus",
    "ClientOrder",
    "ClientPermission",
    "ClockMark",
    "Crl",
    "CrlScope",
    "Decision",
    "DeliveryState",
    "Event",
    "EventMacs",
    "EventSeal",
    "Fingerprint",
    "HealthReport",
    "HealthSample",
    "HoldRelease",
    "HsmKey",
    "ImportFinding",
    "ImportState",
    "IssuanceSet",
    "KeyCeremony",
    "KeyFinding",
    "KeyInventory",
    "KeyProvenance",
    "KeyPurpose",
    "MassRevocation",
    "MassRevocationMember",
    "MassRevocationState",
    "ModulusBlock",
    "NoncePolicy",
    "OcspResponse",
    "OcspSigner",
    "OcspUnknown",
    "ProfileLint",
    "ProfileVersion",
    "RefusedRequest",
    "Revocation",
    "RevocationChannel",
    "RevocationReason",
    "RsaKey",
    "SealVersion",
    "Secret",
    "SecretDelivery",
    "SecretState",
    "SerialMode",
    "SetState",
    "StatusReport",
    "draw_status_versions",
]
