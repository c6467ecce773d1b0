"""Mass revocations by operators: dry run, request, start or continue, stop.

Two other people approve in between. `pki.mass_revocation.lifecycle` enforces that and records an event of each step.
"""

import datetime as dt
from dataclasses import asdict
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.operators.models import MassTrial
from issuance.records.models.events import Event
from issuance.records.services import handles
from pki import mass_revocation
from pki.mass_revocation import MassRevocationGrounds, MassRevocationView, MassSelection
from siths_portal.lib import clock


@transaction.atomic(durable=True)
def count(*, actor: Actor, session_id: UUID, selection: MassSelection) -> MassTrial:
    """Runs a selection dry and stores the counts for the actor's session. The event records the names of the criteria and the
    number of certificates. Raises Invalid, Forbidden.
    """
    policy.require_global(actor, Action.MASS_REVOKE)
    trial = mass_revocation.dry_run(selection)
    row = MassTrial.objects.create(
        owner_ref=actor.ref,
        session_id=session_id,
        selection=trial.selection.plain(),
        as_of=trial.as_of,
        counted={
            "total": trial.total,
            "revocable": trial.revocable,
            "groups": [asdict(group) for group in trial.groups],
            "unmatched_serials": trial.unmatched_serials,
            "unmatched_keys": trial.unmatched_keys,
            "unmatched_examples": trial.unmatched_examples,
        },
        members_sha256=trial.members_sha256,
        created_at=clock.now(),
    )
    Event.record(
        actor_ref=actor.ref,
        action="mass_revocation.counted",
        subject_type="mass_trial",
        subject_ref=str(row.id),
        facts={"criteria": sorted(row.selection), "total": trial.total, "members_sha256": trial.members_sha256},
    )
    return row


def own_trial(*, actor: Actor, session_id: UUID, trial_id: UUID) -> MassTrial:
    """Returns the actor's dry run of this session. Raises NotFound for any other, Forbidden."""
    policy.require_global(actor, Action.MASS_REVOKE)
    return handles.own(MassTrial.objects.all(), actor=actor, session_id=session_id, handle_id=trial_id)


@transaction.atomic(durable=True)
def request(*, actor: Actor, session_id: UUID, trial_id: UUID, grounds: MassRevocationGrounds) -> UUID:
    """Requests the mass revocation of a dry run and returns its id. A repeated call returns the same id. Raises as `own_trial`
    and `pki.mass_revocation.request_mass_revocation`.
    """
    policy.require_global(actor, Action.MASS_REVOKE)
    trial = handles.own(MassTrial.objects.select_for_update(), actor=actor, session_id=session_id, handle_id=trial_id)
    if trial.mass_revocation_id is None:
        made = mass_revocation.request_mass_revocation(
            MassSelection.from_plain(trial.selection),
            grounds,
            as_of=trial.as_of,
            members_sha256=trial.members_sha256,
            actor_ref=actor.ref,
        )
        trial.mass_revocation_id = made.id
        trial.save(update_fields=["mass_revocation_id"])
    return trial.mass_revocation_id


def start(*, actor: Actor, mass_revocation_id: UUID) -> None:
    """Starts an approved mass revocation, or continues a stopped one. Raises as `pki.mass_revocation.start_mass_revocation`."""
    policy.require_global(actor, Action.MASS_REVOKE)
    with transaction.atomic(durable=True):
        mass_revocation.start_mass_revocation(mass_revocation_id, actor_ref=actor.ref)


def stop(*, actor: Actor, mass_revocation_id: UUID, justification: str) -> None:
    """Stops a running mass revocation after its current batch. Raises as `pki.mass_revocation.stop_mass_revocation`."""
    policy.require_global(actor, Action.MASS_REVOKE)
    with transaction.atomic(durable=True):
        mass_revocation.stop_mass_revocation(mass_revocation_id, actor_ref=actor.ref, justification=justification)


def refusal(found: MassRevocationView) -> str:
    """Returns the reason why the mass revocation cannot be started or continued. Returns an empty string if it can."""
    return {
        "requested": f"{found.required} andra personer ska godkänna först.",
        "rejected": "Begäran är avslagen.",
        "withdrawn": "Begäran är återtagen.",
        "expired": "Tiden för begäran har gått ut. Gör en ny.",
        "running": "Masspärren går redan.",
        "publishing": "Alla certifikat är spärrade. Spärrlistor och svar görs nu.",
        "finished": "Masspärren är klar.",
    }.get(found.state, "")


def delete_old_trials(before: dt.datetime) -> int:
    """Deletes dry runs created before `before`. Returns the number of rows."""
    return MassTrial.objects.filter(created_at__lt=before).delete()[0]
