"""The steps that executing a ceremony's file would perform, and what prevents it; pages use it too, since it needs no token."""

from django.conf import settings

from pki.authorities import ca_states
from pki.authorities.queries import certificate_of
from pki.domain import names
from pki.domain.ca_states import may_become
from pki.domain.ceremony_file import DEMO, Act, AuthorityPlan, CeremonyFile
from pki.domain.profiles import PROFILES
from pki.models import CaState, CeremonyState, CertificateAuthority, CertificateStatus, HsmKey, KeyCeremony
from pki.models.choices import SERVICE_PURPOSES
from siths_portal.lib.errors import Conflict

DEMO_PREFIX = "DEMO SITHS e-id"

type Rows = dict[tuple[str, int], CertificateAuthority]


def intentions(ceremony: CeremonyFile) -> list[str]:
    """Returns the steps that are not done, one Swedish line each; empty if all are done. Raises Conflict as `perform` would."""
    record = recorded(ceremony)
    if record is not None and record.state == CeremonyState.FINISHED:
        return []
    known = rows()
    refuse_conflicts(ceremony, known)
    lines = []
    for plan in ceremony.authorities:
        row = known.get((plan.slug, plan.generation))
        if row is None or not row.certificate_der:
            lines.append(f"gör nyckel ({plan.key}) och certifikat för {plan.common_name}")
        if plan.ocsp_signer and not (row and row.ocsp_signers.exists()):
            lines.append(f"gör OCSP-signerare ({plan.ocsp_signer}) för {plan.common_name}")
        if not (row and row.crls.exists()):
            lines.append(f"publicera spärrlista för {plan.common_name}")
    if ceremony.secret_keys:
        made = set(HsmKey.objects.filter(retired_at=None).values_list("purpose", flat=True))
        lines += [f"gör tjänstenyckel ({each})" for each in SERVICE_PURPOSES if each not in made]
    lines += [_act_line(act) for act in ceremony.acts]
    return [*lines, "skriv protokoll"] if lines or record is not None else []


def _act_line(act: Act) -> str:
    ca = f"{act.slug}, generation {act.generation}"
    return {
        "renew-status": f"publicera ny spärrlista och nya OCSP-svar för {ca}",
        "revoke": f"spärra certifikatet för {ca} ({act.value})",
        "state": f"ändra tillståndet för {ca} till {act.value}",
    }[act.kind]


def rows() -> Rows:
    """Returns every CA by slug and generation."""
    return {(row.slug, row.generation): row for row in CertificateAuthority.objects.select_related("parent")}


def recorded(ceremony: CeremonyFile) -> KeyCeremony | None:
    """Returns the ceremony that executes or has executed this file, or None."""
    return KeyCeremony.objects.select_related("approval").filter(file_sha256=ceremony.sha256).first()


def refuse_conflicts(ceremony: CeremonyFile, rows: Rows) -> None:
    """Raises Conflict for a file that does not match the existing CAs."""
    stems = {row.file_stem: place for place, row in rows.items()}
    if ceremony.environment == DEMO:
        _refuse_real(ceremony, rows)
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


def _refuse_real(ceremony: CeremonyFile, rows: Rows) -> None:
    """Raises Conflict if a demo file touches a real CA: a demo's file does not fix its approvers (ADR 0125)."""
    real = {slug: row.common_name for (slug, _generation), row in rows.items() if not row.common_name.startswith(DEMO_PREFIX)}
    for plan in ceremony.authorities:
        if found := real.get(plan.slug) or real.get(plan.parent):
            raise Conflict("ca-name-not-demo", f"En democeremoni rör bara utfärdare som heter {DEMO_PREFIX}, inte {found}.")


def _refuse_parent(ceremony: CeremonyFile, plan: AuthorityPlan, rows: Rows) -> None:
    """Raises Conflict unless the new CA's root exists here, is in use, and expires later than the CA."""
    if not plan.parent or any(other.slug == plan.parent for other in ceremony.authorities):
        return
    generations = [row for (slug, _generation), row in rows.items() if slug == plan.parent and row.certificate_der]
    parent = max(generations, key=lambda row: row.generation, default=None)
    if parent is None or parent.parent_id is not None or parent.state != CaState.OFFLINE:
        raise Conflict("ca-parent-missing", f"{plan.slug}: det finns ingen rot {plan.parent} som kan utfärda.")
    if parent.not_after is None or plan.not_after > parent.not_after:
        raise Conflict("ca-outlives-parent", f"{plan.slug}: gäller längre än sin rot.")


def _refuse_act(ceremony: CeremonyFile, act: Act, rows: Rows) -> None:
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
        allowed = ", ".join(ca_states.target_states(state)) or "inget annat"
        raise Conflict("ca-state", f"{name} är {state} och kan inte bli {act.value}; den kan bli {allowed}.")
    if act.kind == "renew-status" and state != CaState.OFFLINE:
        raise Conflict("ca-not-offline", f"{name} publicerar sin status själv.")
    if act.kind == "revoke":
        _refuse_revocation(name, row, act)


def _refuse_revocation(name: str, row: CertificateAuthority | None, act: Act) -> None:
    """Raises Conflict unless a root here has certified the CA and its certificate is not revoked yet."""
    certificate = certificate_of(row) if row else None
    if row is None or row.parent is None or row.parent.state != CaState.OFFLINE or certificate is None:
        raise Conflict("ca-not-revocable", f"{name} har ingen rot här som kan spärra dess certifikat.")
    if certificate.status == CertificateStatus.REVOKED and certificate.reason not in (act.value, ""):
        raise Conflict("ca-revoked", f"Certifikatet för {name} är redan spärrat.")
