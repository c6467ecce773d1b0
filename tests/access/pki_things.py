"""What the operators' addresses name: ceremonies, prepared ones, changes of a CA's state that were approved, imports."""

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.approvals import dual_control
from pki.authorities import ca_states
from pki.ceremonies import proposals
from pki.domain.ceremony_file import parse
from pki.models import ApprovalAction, CaImport, CertificateAuthority, Decision, HsmKey, ImportFinding, KeyCeremony, KeyPurpose
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from tests.access.row import same_for_all
from tests.access.world import AccessWorld, Who
from tests.pki.ceremony_people import ceremony_file, person

NOBODY = (UUID(int=1),)
STATE = {"state": "retired", "justification": "Prov"}
"""A whole request for another state."""


@same_for_all
def ca_matter(_access: AccessWorld, _who: Who, relation: str) -> tuple[Any, ...]:
    """A change of a CA's state that somebody else asked for and others approved."""
    if relation == "unknown":
        return NOBODY
    made = ca_states.plan_state_change(
        slug="person-hsaid-3", generation=1, target="retired", justification="Prov", requester_ref="user:nobody"
    )
    dual_control.decide(
        request_id=made.pk, approver_ref="user:other", decision=Decision.APPROVED, document_sha256=made.document_sha256
    )
    return (made.pk,)


@same_for_all
def proposal(_access: AccessWorld, _who: Who, relation: str) -> tuple[Any, ...]:
    """A ceremony that waits for its approvers."""
    return NOBODY if relation == "unknown" else (proposals.propose(file(), actor_ref="user:nobody"),)


@same_for_all
def ceremony(_access: AccessWorld, _who: Who, relation: str) -> tuple[Any, ...]:
    """A ceremony that is finished."""
    if relation == "unknown":
        return NOBODY
    plan, now = parse(file()), clock.now()
    request = dual_control.request(
        action=ApprovalAction.CEREMONY, summary="Prov", document={"approvers": []}, requester_ref="participant:kim"
    )
    chapters = ("participants", "keys", "authorities", "ocsp_signers", "acts", "crls", "ocsp_answers")
    content = {name: [] for name in chapters} | {
        "ceremony": plan.title, "environment": plan.environment, "file_sha256": plan.sha256, "profiles": {},
        "clock": {"started": "", "finished": ""}, "approval": {"approvals": [], "required": 2, "requester": "Kim"},
    }  # fmt: skip
    transcript = json.dumps(content)
    made = KeyCeremony.objects.create(
        title=plan.title, environment=plan.environment, file_text=plan.text, file_sha256=plan.sha256, approval=request,
        participants=[], state="finished", started_at=now, finished_at=now, transcript=transcript,
        transcript_sha256=sha256_hex(transcript.encode()),
    )  # fmt: skip
    return (made.pk,)


@same_for_all
def imported(_access: AccessWorld, _who: Who, relation: str) -> tuple[Any, ...]:
    """An import that is finished and signed, with a row that was not taken."""
    if relation == "unknown":
        return NOBODY
    ca, now = CertificateAuthority.objects.get(slug="person-hsaid-3", generation=1), clock.now()
    document = {
        "slug": ca.slug, "generation": ca.generation, "certificate_sha256": "0" * 64, "format": "jsonl", "key_id": "",
        "inputs_sha256": "1" * 64, "rows": 2, "new": 1, "new_revoked": 0, "revoked": 0, "papers": 0, "findings": 1,
    }  # fmt: skip
    request = dual_control.request(action=ApprovalAction.IMPORT, summary="Prov", document=document, requester_ref="user:nobody")
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    key = HsmKey.objects.create(
        key_id=uuid4().hex, purpose=KeyPurpose.AUDIT_HEAD, token_label="t", label=uuid4().hex, algorithm="ec-p256",
        public_key_der=public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), created_at=now,
    )  # fmt: skip
    counts = {"rows": 2, "new": 1, "finding:serial": 1}
    report = {
        "dry_run": False, "ca": {"slug": ca.slug, "generation": 1, "common_name": ca.common_name, "certificate_sha256": "0" * 64},
        "format": "jsonl", "inputs": [], "inputs_sha256": "1" * 64, "counts": {"rows": 2, "new": 1}, "lists": [],
        "rows": {"issued": 1, "revoked": 0}, "crl_number_above": "7", "findings": {"serial": 1}, "examples": [],
    }  # fmt: skip
    row = CaImport.objects.create(
        ca=ca, approval_request=request, inputs=[], inputs_sha256="1" * 64, state="finished", position=2, counts=counts,
        actor_ref="operator:x", started_at=now, last_batch_at=now, finished_at=now, report=report, signature=b"x",
        signature_key_id=key.key_id, signed_at=now,
    )  # fmt: skip
    ImportFinding.objects.create(ca_import=row, place="certificates.jsonl:2", kind="serial", serial="0177AB")
    return (request.pk,)


@cache
def file() -> bytes:
    """A ceremony file that can be followed."""
    with tempfile.TemporaryDirectory() as folder:
        return ceremony_file([person(name, Path(folder)) for name in ("Ada", "Bo")]).encode()
