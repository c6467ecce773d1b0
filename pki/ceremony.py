"""The key ceremony: does what a reviewed and approved file says, in the token, and writes down what was done (spec F9).

A file is followed once, with the approvals that it demands. Every step asks first whether it is done, so a ceremony that was cut
off is finished by following the same file again, and a finished one changes nothing. A CA that is there is never changed but by
an act that the file names: another description of it stops everything before it starts.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from pki import ca_states, ceremony_approvals, scratch, transcript
from pki.ceremony_steps import Run, actor_ref, certificate_of
from pki.domain import names
from pki.domain.ca_states import may_become
from pki.domain.ceremony_file import DEMO, Act, AuthorityPlan, CeremonyFile
from pki.domain.profiles import PROFILES
from pki.models import (
    CaState,
    CeremonyState,
    CertificateAuthority,
    CertificateStatus,
    Event,
    HsmKey,
    KeyCeremony,
)
from pki.token_keys import SERVICE_KEYS
from siths_portal.lib import clock, faults
from siths_portal.lib.errors import Conflict

DEMO_PREFIX = "DEMO SITHS e-id"
_LOCK = 0x70_6B_69_01  # one ceremony at a time, in the whole database

type _Rows = dict[tuple[str, int], CertificateAuthority]


@dataclass(frozen=True)
class Outcome:
    """What a ceremony came to: `changed` is False if everything was there; `transcript` is the file that tells, if changed."""

    changed: bool
    authorities: int
    transcript: Path | None


def intentions(ceremony: CeremonyFile) -> list[str]:
    """What following the file would do, one line each in Swedish; empty if all is done. Raises Conflict as `perform` would."""
    record = _recorded(ceremony)
    if record is not None and record.state == CeremonyState.FINISHED:
        return []
    rows = _rows()
    _refuse_conflicts(ceremony, rows)
    lines = []
    for plan in ceremony.authorities:
        row = rows.get((plan.slug, plan.generation))
        if row is None or not row.certificate_der:
            lines.append(f"gör nyckel ({plan.key}) och certifikat för {plan.common_name}")
        if plan.ocsp_signer and not (row and row.ocsp_signers.exists()):
            lines.append(f"gör OCSP-signerare ({plan.ocsp_signer}) för {plan.common_name}")
        if not (row and row.crls.exists()):
            lines.append(f"publicera spärrlista för {plan.common_name}")
    if ceremony.secret_keys:
        made = set(HsmKey.objects.filter(retired_at=None).values_list("purpose", flat=True))
        lines += [f"gör husets nyckel ({each})" for each in SERVICE_KEYS if each not in made]
    lines += [_told(act) for act in ceremony.acts]
    return [*lines, "skriv protokoll"] if lines or record is not None else []


def _told(act: Act) -> str:
    ca = f"{act.slug}, generation {act.generation}"
    return {
        "renew-status": f"publicera ny spärrlista och nya OCSP-svar för {ca}",
        "revoke": f"spärra certifikatet för {ca} ({act.value})",
        "state": f"ändra tillståndet för {ca} till {act.value}",
    }[act.kind]


def perform(
    ceremony: CeremonyFile, *, approvals: Mapping[str, bytes] | None = None, say: Callable[[str], None] = lambda line: None
) -> Outcome:
    """Follows the file; `say` is told each step. `approvals` are signatures by name, or else those that lie ready for the file.

    Raises Conflict, Invalid for an approval that does not hold, HsmError, NotIssuable; repeating goes on where it stopped.
    """
    with _alone():
        record = _recorded(ceremony)
        if not intentions(ceremony):
            if record is not None:
                transcript.keep(record)
            return Outcome(False, len(ceremony.authorities), None)
        record = record or _begin(ceremony, approvals)
        _resume(record)
        faults.point("pki.ceremony.after-begin")
        try:
            rows = Run(ceremony, record.started_at, say).follow()
        except Exception as error:
            _fail(record, error)
            raise
        written = _finish(record, ceremony, rows)
        say(f"protokoll {written.name}")
        return Outcome(True, len(ceremony.authorities), written)


def rehearse(ceremony: CeremonyFile) -> dict[str, Any]:
    """Follows the file without approvals where nothing of it stays, and returns its protocol. Raises NotScratch elsewhere."""
    scratch.check()
    _refuse_conflicts(ceremony, _rows())
    started = clock.now()
    rows = Run(ceremony, started, lambda line: None).follow()
    return transcript.describe(ceremony, rows, transcript.Span(started, clock.now()), {})


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:  # type: ignore[index]
            raise Conflict("ceremony-running", "En annan ceremoni pågår.")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _rows() -> _Rows:
    return {(row.slug, row.generation): row for row in CertificateAuthority.objects.select_related("parent")}


def _recorded(ceremony: CeremonyFile) -> KeyCeremony | None:
    return KeyCeremony.objects.select_related("approval").filter(file_sha256=ceremony.sha256).first()


def _begin(ceremony: CeremonyFile, given: Mapping[str, bytes] | None) -> KeyCeremony:
    """Records the approvals and that the ceremony begins, in one transaction."""
    signatures = ceremony_approvals.stored(ceremony) if given is None else given
    checked = ceremony_approvals.check(ceremony, signatures)
    who = actor_ref(ceremony)
    with transaction.atomic(durable=True):
        record = KeyCeremony.objects.create(
            title=ceremony.title,
            environment=ceremony.environment,
            file_text=ceremony.text,
            file_sha256=ceremony.sha256,
            approval=ceremony_approvals.record(ceremony, checked, actor_ref=who),
            participants=[{"role": each.role, "name": each.name} for each in ceremony.participants],
            started_at=clock.now(),
        )
        _tell(record, "ceremony.started", {"title": record.title, "approval": str(record.approval_id)})
    return record


def _resume(record: KeyCeremony) -> None:
    """Takes up one that was cut off. Raises Conflict if what was approved is too old by now."""
    if record.approval.expires_at <= clock.now():
        raise Conflict("ceremony-too-old", "Ceremonins godkännanden har gått ut. Godkänn en ny fil.")
    if record.state == CeremonyState.FAILED:
        record.state, record.failure = CeremonyState.RUNNING, ""
        with transaction.atomic(durable=True):
            record.save(update_fields=["state", "failure"])
            _tell(record, "ceremony.resumed", {})


def _fail(record: KeyCeremony, error: Exception) -> None:
    record.state, record.failure = CeremonyState.FAILED, type(error).__name__
    with transaction.atomic(durable=True):
        record.save(update_fields=["state", "failure"])
        _tell(record, "ceremony.failed", {"failure": record.failure})


def _finish(record: KeyCeremony, ceremony: CeremonyFile, rows: list[CertificateAuthority]) -> Path:
    """Keeps the protocol in the database, then as files: those can be written again from there."""
    record.finished_at = clock.now()
    span = transcript.Span(record.started_at, record.finished_at)
    written = transcript.describe(ceremony, rows, span, transcript.approval(ceremony, record))
    record.state = CeremonyState.FINISHED
    record.outputs = transcript.outputs(written)
    record.transcript, record.transcript_sha256 = transcript.canonical(written)
    with transaction.atomic(durable=True):
        record.save(update_fields=["state", "finished_at", "outputs", "transcript", "transcript_sha256"])
        facts = {"title": record.title, "transcript": transcript.file_name(record), "transcript_sha256": record.transcript_sha256}
        _tell(record, "ceremony.completed", facts)
    faults.point("pki.ceremony.before-transcript")
    return transcript.keep(record)


def _tell(record: KeyCeremony, action: str, facts: dict[str, str]) -> None:
    Event.record(
        actor_ref=f"ceremony:{record.file_sha256[:16]}",
        action=action,
        subject_type="ceremony",
        subject_ref=record.file_sha256,
        facts=facts,
    )


def _refuse_conflicts(ceremony: CeremonyFile, rows: _Rows) -> None:
    stems = {row.file_stem: place for place, row in rows.items()}
    for plan in ceremony.authorities:
        if (settings.DEBUG or ceremony.environment == DEMO) and not plan.common_name.startswith(DEMO_PREFIX):
            raise Conflict("ca-name-not-demo", f"Utanför produktion ska namnet börja med {DEMO_PREFIX}: {plan.common_name}.")
        wrong = names.faults(PROFILES[plan.profile].subject, plan.subject)
        if wrong:
            raise Conflict("ca-name-wrong", f"Namnet går inte att skriva i ett certifikat: {plan.common_name}.", fields=wrong)
        known = rows.get((plan.slug, plan.generation))
        if known is not None and known.definition_sha256 != plan.sha256:
            raise Conflict("ca-differs", f"{plan.slug} finns redan med en annan beskrivning än filens. Inget är ändrat.")
        if stems.get(names.file_stem(plan.common_name), (plan.slug, plan.generation)) != (plan.slug, plan.generation):
            raise Conflict("ca-name-taken", f"En annan utfärdare heter redan {plan.common_name}.")
        if known is None or not known.certificate_der:
            _refuse_parent(ceremony, plan, rows)
    for act in ceremony.acts:
        _refuse_act(ceremony, act, rows)


def _refuse_parent(ceremony: CeremonyFile, plan: AuthorityPlan, rows: _Rows) -> None:
    """A CA that is to be certified needs a root that is here, in use, and outlives it."""
    if not plan.parent or any(other.slug == plan.parent for other in ceremony.authorities):
        return
    generations = [row for (slug, _generation), row in rows.items() if slug == plan.parent and row.certificate_der]
    parent = max(generations, key=lambda row: row.generation, default=None)
    if parent is None or parent.parent_id is not None or parent.state != CaState.OFFLINE:
        raise Conflict("ca-parent-missing", f"{plan.slug}: det finns ingen rot {plan.parent} som kan utfärda.")
    if parent.not_after is None or plan.not_after > parent.not_after:
        raise Conflict("ca-outlives-parent", f"{plan.slug}: gäller längre än sin rot.")


def _refuse_act(ceremony: CeremonyFile, act: Act, rows: _Rows) -> None:
    place = (act.slug, act.generation)
    made_here = {(plan.slug, plan.generation): plan for plan in ceremony.authorities}
    row, plan = rows.get(place), made_here.get(place)
    if row is None and plan is None:
        raise Conflict("ca-unknown", f"Utfärdaren {act.slug}, generation {act.generation}, finns inte.")
    name = row.common_name if row else plan.common_name  # type: ignore[union-attr]
    if ceremony.environment == DEMO and not name.startswith(DEMO_PREFIX):
        raise Conflict("ca-name-not-demo", f"En democeremoni rör bara utfärdare som heter {DEMO_PREFIX}, inte {name}.")
    state = row.state if row and row.certificate_der else plan.state if plan else CaState.PLANNED
    if act.kind == "state" and not (state == act.value or may_become(state, act.value)):
        allowed = ", ".join(ca_states.targets(state)) or "inget annat"
        raise Conflict("ca-state", f"{name} är {state} och kan inte bli {act.value}; den kan bli {allowed}.")
    if act.kind == "renew-status" and state != CaState.OFFLINE:
        raise Conflict("ca-not-offline", f"{name} publicerar sin status själv.")
    if act.kind == "revoke":
        _refuse_revocation(name, row, act)


def _refuse_revocation(name: str, row: CertificateAuthority | None, act: Act) -> None:
    """Only a CA that is certified by a root here can have its certificate revoked, once."""
    certificate = certificate_of(row) if row else None
    if row is None or row.parent is None or row.parent.state != CaState.OFFLINE or certificate is None:
        raise Conflict("ca-not-revocable", f"{name} har ingen rot här som kan spärra dess certifikat.")
    if certificate.status == CertificateStatus.REVOKED and certificate.reason not in (act.value, ""):
        raise Conflict("ca-revoked", f"Certifikatet för {name} är redan spärrat.")
