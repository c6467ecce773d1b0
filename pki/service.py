"""The door of `pki`: what other applications may call. Functions named `plan_*` join the caller's transaction."""

from pki.approvals.dual_control import LIFETIME as APPROVAL_LIFETIME
from pki.approvals.dual_control import REQUIRED as APPROVALS_REQUIRED
from pki.approvals.dual_control import decide as decide_approval
from pki.approvals.dual_control import withdraw as withdraw_approval
from pki.authorities.ca_states import carry_out as carry_out_ca_state
from pki.authorities.ca_states import plan_change as plan_ca_state
from pki.authorities.ca_states import targets as ca_state_targets
from pki.authorities.certificates import certificates, revoked_since, wait_until_settled
from pki.authorities.queries import AuthorityView, authorities, chain
from pki.ceremonies.proposals import ApproverView, ProposalRecord, ProposalView, proposal, proposals
from pki.ceremonies.proposals import propose as propose_ceremony
from pki.ceremonies.proposals import register_signature as register_ceremony_signature
from pki.ceremonies.proposals import withdraw as withdraw_proposal
from pki.ceremonies.queries import CeremonyRecord, CeremonyView, OutputView, ParticipantView, ceremonies, ceremony
from pki.clients.permissions import PermissionView, client_permissions, grant_client, withdraw_client
from pki.domain.ca_states import is_final as ca_state_is_final
from pki.domain.card_proof import CardProof
from pki.domain.card_proof import Claims as CardClaims
from pki.domain.ceremony_file import LONGEST_FILE as LONGEST_CEREMONY_FILE
from pki.domain.findings import Severity
from pki.domain.orders import CertificateOrder, CertificateView, SerialOnly
from pki.domain.puk import MAX_DIGITS as PUK_MAX_DIGITS
from pki.domain.puk import MIN_DIGITS as PUK_MIN_DIGITS
from pki.domain.responder_lifetime import RENEW_BEFORE as RESPONDER_RENEW_BEFORE
from pki.health.reports import AuditCheckView, HealthView, SeenFinding, audit_checks
from pki.health.reports import latest as health_report
from pki.hsm.clock_guard import Reading as ClockReading
from pki.hsm.clock_guard import look as clock_reading
from pki.hsm.inventory_reports import InventoryReport
from pki.hsm.inventory_reports import latest as key_inventory
from pki.issuing.card_checks import certificate_names
from pki.issuing.planning import plan_certificates, plan_serial_only
from pki.mass_revocation.lifecycle import (
    MassRevocationGrounds,
    MassRevocationView,
    mass_revocation,
    mass_revocations,
    request_mass_revocation,
    start_mass_revocation,
    stop_mass_revocation,
)
from pki.mass_revocation.selection import MassRevocationDryRun, MassRevocationGroup, MassSelection
from pki.mass_revocation.selection import dry_run as mass_revocation_dry_run
from pki.models import ApprovalAction, ApprovalState, CaState, CertificateStatus, Decision, RevocationChannel, RevocationReason
from pki.ocspd.metrics import GIVEN_UP as OCSP_STORE_GIVEN_UP
from pki.operators.approvals import (
    ApprovalPage,
    ApprovalView,
    DecisionView,
    approval,
    ca_state_matter,
    closed_approvals,
    waiting_approvals,
    waiting_count,
)
from pki.operators.authorities import (
    AuthorityLine,
    AuthorityRecord,
    authority_certificate,
    authority_lines,
    authority_names,
    authority_record,
)
from pki.operators.ceremonies import (
    CeremonyEvent,
    Protocol,
    Remaining,
    ceremony_events,
    ceremony_protocol,
    ceremony_remaining,
    protocol_content,
)
from pki.operators.certificate_search import (
    CertificateCriteria,
    CertificateLine,
    CertificatePage,
    certificate_criteria,
    find_certificates,
    profile_names,
)
from pki.operators.certificates import CertificateRecord, certificate_der, certificate_pem, certificate_record
from pki.operators.imports import (
    ComparisonView,
    FindingCount,
    FindingPage,
    ImportLine,
    ImportRecord,
    ImportStep,
    import_findings,
    import_record,
    import_report,
    imports,
)
from pki.operators.keys import KeyPage, KeyView, destroyed_keys, keys_in_use
from pki.operators.mass_revocation_samples import mass_revocation_samples
from pki.operators.status import COUNTED as STATUS_COUNTED
from pki.operators.status import CaStatus, ListStatus, ResponderProcess, StoreStatus, ca_statuses, status_of_store
from pki.ports import CardCertificate
from pki.revocation.holds import held as held_certificates
from pki.revocation.holds import plan_release, wait_until_released
from pki.revocation.publication import PublicationView, publication
from pki.revocation.revoking import SourceRecord, plan_revocation
from pki.secrets.deliveries import DeliveryView, delivery, destroy_delivery, plan_delivery, wait_for_delivery
from pki.secrets.received import SecretOutcome, destroy_secrets, plan_secret, secret_jwks, secret_outcomes, secret_state

__all__ = [
    "APPROVALS_REQUIRED",
    "APPROVAL_LIFETIME",
    "LONGEST_CEREMONY_FILE",
    "OCSP_STORE_GIVEN_UP",
    "PUK_MAX_DIGITS",
    "PUK_MIN_DIGITS",
    "RESPONDER_RENEW_BEFORE",
    "STATUS_COUNTED",
    "ApprovalAction",
    "ApprovalPage",
    "ApprovalState",
    "ApprovalView",
    "ApproverView",
    "AuditCheckView",
    "AuthorityLine",
    "AuthorityRecord",
    "AuthorityView",
    "CaState",
    "CaStatus",
    "CardCertificate",
    "CardClaims",
    "CardProof",
    "CeremonyEvent",
    "CeremonyRecord",
    "CeremonyView",
    "CertificateCriteria",
    "CertificateLine",
    "CertificateOrder",
    "CertificatePage",
    "CertificateRecord",
    "CertificateStatus",
    "CertificateView",
    "ClockReading",
    "ComparisonView",
    "Decision",
    "DecisionView",
    "DeliveryView",
    "FindingCount",
    "FindingPage",
    "HealthView",
    "ImportLine",
    "ImportRecord",
    "ImportStep",
    "InventoryReport",
    "KeyPage",
    "KeyView",
    "ListStatus",
    "MassRevocationDryRun",
    "MassRevocationGrounds",
    "MassRevocationGroup",
    "MassRevocationView",
    "MassSelection",
    "OutputView",
    "ParticipantView",
    "PermissionView",
    "ProposalRecord",
    "ProposalView",
    "Protocol",
    "PublicationView",
    "Remaining",
    "ResponderProcess",
    "RevocationChannel",
    "RevocationReason",
    "SecretOutcome",
    "SeenFinding",
    "SerialOnly",
    "Severity",
    "SourceRecord",
    "StoreStatus",
    "approval",
    "audit_checks",
    "authorities",
    "authority_certificate",
    "authority_lines",
    "authority_names",
    "authority_record",
    "ca_state_is_final",
    "ca_state_matter",
    "ca_state_targets",
    "ca_statuses",
    "carry_out_ca_state",
    "ceremonies",
    "ceremony",
    "ceremony_events",
    "ceremony_protocol",
    "ceremony_remaining",
    "certificate_criteria",
    "certificate_der",
    "certificate_names",
    "certificate_pem",
    "certificate_record",
    "certificates",
    "chain",
    "client_permissions",
    "clock_reading",
    "closed_approvals",
    "decide_approval",
    "delivery",
    "destroy_delivery",
    "destroy_secrets",
    "destroyed_keys",
    "find_certificates",
    "grant_client",
    "health_report",
    "held_certificates",
    "import_findings",
    "import_record",
    "import_report",
    "imports",
    "key_inventory",
    "keys_in_use",
    "mass_revocation",
    "mass_revocation_dry_run",
    "mass_revocation_samples",
    "mass_revocations",
    "plan_ca_state",
    "plan_certificates",
    "plan_delivery",
    "plan_release",
    "plan_revocation",
    "plan_secret",
    "plan_serial_only",
    "profile_names",
    "proposal",
    "proposals",
    "propose_ceremony",
    "protocol_content",
    "publication",
    "register_ceremony_signature",
    "request_mass_revocation",
    "revoked_since",
    "secret_jwks",
    "secret_outcomes",
    "secret_state",
    "start_mass_revocation",
    "status_of_store",
    "stop_mass_revocation",
    "wait_for_delivery",
    "wait_until_released",
    "wait_until_settled",
    "waiting_approvals",
    "waiting_count",
    "withdraw_approval",
    "withdraw_client",
    "withdraw_proposal",
]
