"""What the operators' addresses name: ceremonies, prepared ones, and changes of a CA's state that were approved."""

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from pki import approvals, ca_states, ceremony_proposals
from pki.domain.ceremony_file import parse
from pki.models import ApprovalAction, Decision, KeyCeremony
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from tests.access.world import AccessWorld, Who
from tests.pki.ceremony_people import ceremony_file, person

NOBODY = (UUID(int=1),)
STATE = {"state": "retired", "justification": "Prov"}
"""A whole request for another state."""


def ca_matter(_access: AccessWorld, _who: Who, relation: str) -> tuple[Any, ...]:
    """A change of a CA's state that somebody else asked for and others approved."""
    if relation == "unknown":
        return NOBODY
    made = ca_states.plan_change(
        slug="person-hsaid-3", generation=1, target="retired", justification="Prov", requester_ref="user:nobody"
    )
    approvals.decide(
        request_id=made.pk, approver_ref="user:other", decision=Decision.APPROVED, document_sha256=made.document_sha256
    )
    return (made.pk,)


def proposal(_access: AccessWorld, _who: Who, relation: str) -> tuple[Any, ...]:
    """A ceremony that waits for its approvers."""
    return NOBODY if relation == "unknown" else (ceremony_proposals.propose(file(), actor_ref="user:nobody"),)


def ceremony(_access: AccessWorld, _who: Who, relation: str) -> tuple[Any, ...]:
    """A ceremony that is finished."""
    if relation == "unknown":
        return NOBODY
    plan, now = parse(file()), clock.now()
    request = approvals.request(
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


@cache
def file() -> bytes:
    """A ceremony file that can be followed."""
    with tempfile.TemporaryDirectory() as folder:
        return ceremony_file([person(name, Path(folder)) for name in ("Ada", "Bo")]).encode()
