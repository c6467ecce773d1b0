"""The start of a device's part: the first device that proves itself takes the start code, and a carrier begins on it.

A second device gets nothing. The call is repeatable by the device that took the code, and gives the same response.
"""

import datetime as dt
import hmac
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction as database

from issuance.authz import holder
from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.models import Carrier
from issuance.mobile.domain.states import EnrolmentAction, EnrolmentState, Refusal
from issuance.mobile.models import MobileEnrolment
from issuance.mobile.services import device_proofs, ending, enrolling, enrolments, naming
from issuance.mobile.services.device_proofs import DeviceProof
from issuance.orders.domain.rules import years_after
from issuance.people.models.person_scope import PersonScope
from issuance.records.models.events import Event
from issuance.records.services import steps
from siths_portal.lib import clock, faults
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Conflict, DomainError, Unauthenticated

_APP = "system:eid-app"
_REFUSALS = {
    Refusal.OF_ANOTHER: enrolling.SHARED,
    Refusal.HAS_EID: "Den här enheten har redan ditt mobila SITHS. Spärra det först om du vill skaffa ett nytt på enheten.",
}


@dataclass(frozen=True)
class Started:
    """The response to the device that took the start code: what it makes keys for, and its secret for the further steps."""

    step_token: str = field(repr=False)
    expires_at: dt.datetime
    organisation: str
    terms: str
    profiles: tuple[str, ...]


def start(*, handle: str, proof: DeviceProof) -> Started:
    """Binds the enrolment of `handle` to the proven device and begins the carrier on it.

    Raises Unauthenticated for an unknown start code. Raises Conflict: `proof-refused`, `wrong-origin` and `attestation-refused`
    (these end nothing), `handle-taken` for another device than the first, `enrolment-ended`, `no-first-eid`,
    `too-many-mobile-eids`; `device-of-another` and `device-has-eid`, which end the enrolment and are kept with it. Raises
    Invalid for a name that cannot be used.
    """
    naming.checked(proof.device)
    known = enrolments.is_handle(handle)
    # The lookup by the hash of 128 random bits has no timing that helps to guess a start code.
    seen = MobileEnrolment.objects.filter(handle_sha256=enrolments.digest(handle)).first() if known else None
    if seen is None:
        raise _unknown()
    refusal = _try_to_start(seen, handle, proof)
    if refusal:
        raise refusal
    faults.point("issuance.mobile.start.after-commit")
    row = MobileEnrolment.objects.select_related("organisation", "terms").get(pk=seen.pk)
    if row.terms is None:
        raise ValueError(f"the enrolment {row.pk} has no terms")
    return Started(
        step_token=enrolments.new_step_token(row),
        expires_at=row.expires_at,
        organisation=row.organisation.name,
        terms=row.terms.read().decode(),
        profiles=MOBILE_EID.profiles(),
    )


@database.atomic(durable=True)
def _try_to_start(seen: MobileEnrolment, handle: str, proof: DeviceProof) -> DomainError | None:
    """Binds the device, or accepts that it is bound already. Returns a refusal instead of raising it, so that what is kept of it
    is committed.
    """
    row = enrolments.locked(seen)
    if not hmac.compare_digest(row.handle_sha256, enrolments.digest(handle)):
        raise _unknown()
    enrolments.require_open(row)
    if (fault := device_proofs.fault(proof, handle)) is not None:
        return _record(row, "proof_refused", fault)
    if row.state != EnrolmentState.OFFERED:
        if row.device_key_sha256 == proof.key_sha256:
            return None
        message = "En annan telefon har redan läst av koden. Är den inte din: avbryt på Mina sidor och kontakta supporten."
        return _record(row, "second_device", Conflict("handle-taken", message))
    if not enrolling.is_logged_in(row):
        raise Conflict("enrolment-ended", "Du är utloggad från Mina sidor. Börja om där.")
    enrolling.require_first_eid(row)
    enrolments.require_room(row.person_id)
    locks.lock_until_commit(f"issuance.mobile.device:{proof.key_sha256}")
    if (reason := _device_refusal(row, proof)) is not None:
        row.refusal = reason.value
        row.save(update_fields=["refusal"])
        ending.abandon(row, EnrolmentAction.FAIL, actor_ref=_APP, facts={"reason": reason.value})
        return Conflict(reason.value, _REFUSALS[reason])
    _bind(row, proof)
    return None


def _device_refusal(row: MobileEnrolment, proof: DeviceProof) -> Refusal | None:
    """Returns why the device cannot be used: it has a valid mobile eID, of another person or of the same one."""
    others = MobileEnrolment.objects.filter(device_key_sha256=proof.key_sha256, carrier__isnull=False)
    held = others.exclude(carrier__state__in=[state.value for state in INVALID])
    persons = set(held.values_list("person_id", flat=True))
    if persons - {row.person_id}:
        return Refusal.OF_ANOTHER
    return Refusal.HAS_EID if persons else None


def _bind(row: MobileEnrolment, proof: DeviceProof) -> None:
    actor_ref, now = holder(row.person_id).ref, clock.now().replace(microsecond=0)
    name = naming.unused(naming.checked(proof.device), row.person_id)
    carrier = Carrier(
        kind=MOBILE_EID.code,
        person=row.person,
        organisation=row.organisation,
        device=name,
        state=CarrierState.ORDERED.value,
        valid_from=now,
        valid_to=years_after(now, getattr(settings, MOBILE_EID.carrier_years)),
        created_at=clock.now(),
    )
    steps.begin([carrier], "ordered", actor_ref=actor_ref, facts={"mobile_enrolment": str(row.pk)})
    PersonScope.objects.refresh([row.person_id])
    row.device, row.device_key_spki, row.device_key_sha256 = name, proof.device_key, proof.key_sha256
    steps.step(
        [row],
        EnrolmentAction.START,
        actor_ref=actor_ref,
        facts={"carrier": str(carrier.pk), "device_key_sha256": proof.key_sha256},
        carrier=carrier,
        device=row.device,
        device_key_spki=row.device_key_spki,
        device_key_sha256=row.device_key_sha256,
        attestation=proof.attestation,
        step_token_sha256=enrolments.digest(enrolments.new_step_token(row)),
        started_at=clock.now(),
        expires_at=clock.now() + dt.timedelta(seconds=settings.ACTIVATION_STARTED_SECONDS),
    )


def _record(row: MobileEnrolment, event: str, fault: DomainError) -> DomainError:
    """Records a refused device on the locked row, up to a bound: somebody who saw the start code cannot fill the log."""
    if row.wrong_proofs < settings.ACTIVATION_WRONG_PROOFS:
        row.wrong_proofs += 1
        row.save(update_fields=["wrong_proofs"])
        Event.record(
            actor_ref=_APP,
            action=f"mobile_enrolment.{event}",
            subject_type="mobile_enrolment",
            subject_ref=str(row.pk),
            facts={"reason": fault.code, "count": row.wrong_proofs},
        )
    return fault


def _unknown() -> Unauthenticated:
    return Unauthenticated("handle-unknown", "Koden är okänd eller har ersatts. Visa en ny kod på Mina sidor.")
