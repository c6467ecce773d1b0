"""The door of `pki`: what other applications may call. Functions named `plan_*` join the caller's transaction."""

from pki.approvals import decide as decide_approval
from pki.approvals import withdraw as withdraw_approval
from pki.authorities import AuthorityView, authorities, chain
from pki.ca_states import carry_out as carry_out_ca_state
from pki.ca_states import plan_change as plan_ca_state
from pki.ca_states import targets as ca_state_targets
from pki.ceremonies import CeremonyRecord, CeremonyView, OutputView, ParticipantView, ceremonies, ceremony
from pki.clients import PermissionView, client_permissions, grant_client, withdraw_client
from pki.deliveries import DeliveryView, delivery, destroy_delivery, plan_delivery, wait_for_delivery
from pki.lookup import certificates, revoked_since, wait_until_settled
from pki.mass_revocation import (
    MassRevocationGrounds,
    MassRevocationView,
    mass_revocation,
    mass_revocations,
    request_mass_revocation,
    start_mass_revocation,
    stop_mass_revocation,
)
from pki.mass_selection import MassRevocationDryRun, MassRevocationGroup, MassSelection
from pki.mass_selection import dry_run as mass_revocation_dry_run
from pki.models import ApprovalAction, ApprovalState, CaState, CertificateStatus, Decision, RevocationChannel, RevocationReason
from pki.operators.approvals import (
    ApprovalPage,
    ApprovalView,
    DecisionView,
    approval,
    closed_approvals,
    waiting_approvals,
    waiting_count,
)
from pki.operators.authorities import AuthorityLine, AuthorityRecord, authority_certificate, authority_lines, authority_record
from pki.operators.keys import KeyPage, KeyView, destroyed_keys, keys_in_use
from pki.operators.records import CertificateRecord, certificate_der, certificate_pem, certificate_record
from pki.operators.search import (
    CertificateCriteria,
    CertificateLine,
    CertificatePage,
    certificate_criteria,
    find_certificates,
    profile_names,
)
from pki.orders import CertificateOrder, CertificateView, SerialOnly
from pki.planning import plan_certificates, plan_serial_only
from pki.publication import PublicationView, publication
from pki.revoking import SourceRecord, plan_revocation
from pki.secrets import destroy_secrets, plan_secret, secret_jwks, secret_state

__all__ = [
    "ApprovalAction",
    "ApprovalPage",
    "ApprovalState",
    "ApprovalView",
    "AuthorityLine",
    "AuthorityRecord",
    "AuthorityView",
    "CaState",
    "CeremonyRecord",
    "CeremonyView",
    "CertificateCriteria",
    "CertificateLine",
    "CertificateOrder",
    "CertificatePage",
    "CertificateRecord",
    "CertificateStatus",
    "CertificateView",
    "Decision",
    "DecisionView",
    "DeliveryView",
    "KeyPage",
    "KeyView",
    "MassRevocationDryRun",
    "MassRevocationGrounds",
    "MassRevocationGroup",
    "MassRevocationView",
    "MassSelection",
    "OutputView",
    "ParticipantView",
    "PermissionView",
    "PublicationView",
    "RevocationChannel",
    "RevocationReason",
    "SerialOnly",
    "SourceRecord",
    "approval",
    "authorities",
    "authority_certificate",
    "authority_lines",
    "authority_record",
    "ca_state_targets",
    "carry_out_ca_state",
    "ceremonies",
    "ceremony",
    "certificate_criteria",
    "certificate_der",
    "certificate_pem",
    "certificate_record",
    "certificates",
    "chain",
    "client_permissions",
    "closed_approvals",
    "decide_approval",
    "delivery",
    "destroy_delivery",
    "destroy_secrets",
    "destroyed_keys",
    "find_certificates",
    "grant_client",
    "keys_in_use",
    "mass_revocation",
    "mass_revocation_dry_run",
    "mass_revocations",
    "plan_ca_state",
    "plan_certificates",
    "plan_delivery",
    "plan_revocation",
    "plan_secret",
    "plan_serial_only",
    "profile_names",
    "publication",
    "request_mass_revocation",
    "revoked_since",
    "secret_jwks",
    "secret_state",
    "start_mass_revocation",
    "stop_mass_revocation",
    "wait_for_delivery",
    "wait_until_settled",
    "waiting_approvals",
    "waiting_count",
    "withdraw_approval",
    "withdraw_client",
]
