"""The device's part after its start: certificates for its keys, the chosen code, and the holder's confirmation.

Each call carries the step token, may be repeated and then gets the same response.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography import x509
from django.conf import settings
from django.db import transaction as database

from issuance.authz import holder
from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.mobile.domain.states import EnrolmentAction, EnrolmentState
from issuance.mobile.models import MobileEnrolment, MobileRequest
from issuance.mobile.services import attestations, device_proofs, ending, enrolling, enrolments
from issuance.notices.models import NoticeAbout
from issuance.notices.services import notices
from issuance.records.models.events import Event
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.certificates import signatures
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import new_id

SIGNING_PROFILE = "mobile-sign"
"""The profile of the new key by which the holder confirms the mobile eID."""


@dataclass(frozen=True)
class Certified:
    """The certificates (DER, by profile) for the device, and the bytes that the new key signs."""

    certificates: Mapping[str, bytes] = field(repr=False)
    statement: bytes = field(repr=False)


def certify(*, step_token: str, csrs: Mapping[str, bytes], attestation: str, signature: bytes) -> Certified | None:
    """Has the device's keys certified. Returns None while the worker has not made the certificates.

    `csrs` has a request (DER) for each profile of the kind, `attestation` is the maker's of these keys, and `signature` is the
    first key's, over `device_proofs.message`. Raises Unauthenticated, Conflict (ended, not attested, not proven, other keys than
    before, refused by the worker), Invalid (profiles, a request).
    """
    seen = enrolments.by_token(step_token)
    profiles = MOBILE_EID.profiles()
    if set(csrs) != set(profiles):
        message = f"Skicka en certifikatbegäran för var och en av profilerna {', '.join(profiles)}."
        raise Invalid("csrs", message, fields={"csrs": [message]})
    keys = {profile: pki.request_key(der, field=f"csrs.{profile}") for profile, der in csrs.items()}
    attestations.require(attestation, [device_proofs.key_of(der) for der in csrs.values()])
    request = _store(seen, csrs, keys, attestation, signature)
    faults.point("issuance.mobile.certificates.after-commit")
    ids = [UUID(request.certificate_ids[profile]) for profile in profiles]
    answer = pki.wait_for_requested(request.pk, ids, seconds=settings.EID_APP_WAIT_SECONDS)
    if answer.refusal:
        ending.fail(seen.pk, actor_ref="system:eid-app", reason="certificates-refused")
        raise Conflict("certificates-refused", "Enhetens nycklar kan inte få certifikat. Börja om på Mina sidor.")
    if not answer.certificates:
        return None
    made = {view.profile: view.der or b"" for view in answer.certificates}
    return Certified(made, statement(request, made))


def statement(request: MobileRequest, certificates: Mapping[str, bytes]) -> bytes:
    """Returns the bytes by which the holder confirms the mobile eID: canonical JSON of the enrolment, the carrier, the terms and
    the SHA-256 of each certificate.
    """
    row = request.enrolment
    return canonical_json(
        {
            "carrier": str(row.carrier_id),
            "certificates": {profile: sha256_hex(der) for profile, der in certificates.items()},
            "enrolment": str(row.pk),
            "terms_sha256": row.terms_id,
        }
    )


def set_code(*, step_token: str) -> str:
    """Records that the holder has chosen the code, when the device has its certificates. Returns the new state.

    Raises Unauthenticated, Conflict (ended, certificates missing), IllegalTransition (a revoked mobile eID).
    """
    seen = enrolments.by_token(step_token)
    with database.atomic(durable=True):
        row = enrolments.locked(seen)
        if EnrolmentState(row.state) not in (EnrolmentState.CODE_SET, EnrolmentState.COMPLETED):
            enrolments.require_open(row)
            _certificates(_request(row))
            actor_ref, now = holder(row.person_id).ref, clock.now()
            facts = {"mobile_enrolment": str(row.pk)}
            steps.step([enrolments.carrier_of(row)], CarrierAction.SET_CODE, actor_ref=actor_ref, facts=facts, code_set_at=now)
            steps.step([row], EnrolmentAction.SET_CODE, actor_ref=actor_ref, code_set_at=now)
    return EnrolmentState.CODE_SET.value


def complete(*, step_token: str, signature: bytes) -> Carrier:
    """Makes the mobile eID active by the holder's signature with its new key, and ends the enrolment. Returns the carrier.

    Raises Unauthenticated, Conflict (ended, code not set, certificates not valid), Invalid for a signature that the new key did
    not make over the statement.
    """
    seen = enrolments.by_token(step_token)
    request = _request(seen)
    if seen.state != EnrolmentState.COMPLETED:
        enrolments.require_open(seen)
        made = _certificates(request)
        key = x509.load_der_x509_certificate(made[SIGNING_PROFILE]).public_key()
        if not signatures.is_valid(key, signature, statement(request, made)):
            message = "Underskriften är inte gjord med det nya mobila SITHS:et. Försök igen."
            raise Invalid("signature-invalid", message, fields={"signature": [message]})
    faults.point("issuance.mobile.complete.before-commit")
    carrier = _complete(seen, signature)
    faults.point("issuance.mobile.complete.after-commit")
    return carrier


def cancel(*, step_token: str) -> str:
    """Cancels the enrolment from the device and returns its state. Raises Unauthenticated, Conflict (ended)."""
    seen = enrolments.by_token(step_token)
    with database.atomic(durable=True):
        row = enrolments.locked(seen)
        if row.state != EnrolmentState.CANCELLED:
            enrolments.require_open(row)
            ending.abandon(row, EnrolmentAction.CANCEL, actor_ref=holder(row.person_id).ref, facts={"by": "app"})
    return EnrolmentState.CANCELLED.value


@database.atomic(durable=True)
def _store(
    seen: MobileEnrolment, csrs: Mapping[str, bytes], keys: Mapping[str, str], attestation: str, signature: bytes
) -> MobileRequest:
    """Stores the device's request, or returns the earlier one for the same keys. Wakes the worker."""
    row = enrolments.locked(seen)
    if EnrolmentState(row.state) is not EnrolmentState.COMPLETED:
        enrolments.require_open(row)
    if not device_proofs.is_proven(row, csrs, signature):
        raise Conflict("proof-refused", "Enheten kunde inte visa att nycklarna är dess egna. Försök igen.")
    request = MobileRequest.objects.select_related("enrolment").filter(enrolment=row).first()
    if request is not None and request.keys != dict(keys):
        message = "Certifikat är redan begärda för andra nycklar. Avbryt och börja om på Mina sidor."
        raise Conflict("certificates-already-requested", message)
    if request is None:
        enrolling.require_first_eid(row)
        request = _begin(row, csrs, keys, attestation, signature)
    if len(pki.certificates([UUID(id_) for id_ in request.certificate_ids.values()])) < len(keys):
        pki.wake_certifier(request.pk)
    return request


def _begin(
    row: MobileEnrolment, csrs: Mapping[str, bytes], keys: Mapping[str, str], attestation: str, signature: bytes
) -> MobileRequest:
    """Inserts the request, which certificates it will have, and the notice of the new eID: all or none."""
    carrier, now = enrolments.carrier_of(row), clock.now()
    ids = {profile: new_id() for profile in keys}
    planned = {profile: str(id_) for profile, id_ in ids.items()}
    CarrierCertificate.objects.bulk_create(
        CarrierCertificate(certificate_id=id_, carrier=carrier, profile=profile) for profile, id_ in ids.items()
    )
    notices.queue_about_carrier(carrier, NoticeAbout.NEW)
    Event.record(
        actor_ref=holder(row.person_id).ref,
        action="mobile_enrolment.certificates_requested",
        subject_type="mobile_enrolment",
        subject_ref=str(row.pk),
        facts={"certificates": planned, "carrier": str(carrier.pk)},
    )
    return MobileRequest.objects.create(
        enrolment=row,
        csrs={profile: base64.b64encode(der).decode() for profile, der in csrs.items()},
        keys=dict(keys),
        certificate_ids=planned,
        attestation=attestation,
        signature=signature,
        created_at=now,
    )


@database.atomic(durable=True)
def _complete(seen: MobileEnrolment, signature: bytes) -> Carrier:
    row = enrolments.locked(seen)
    carrier, request = enrolments.carrier_of(row), _request(row)
    if row.state == EnrolmentState.COMPLETED:
        if not hmac.compare_digest(bytes(request.confirmation), signature):
            raise Conflict("enrolment-ended", "Det här mobila SITHS:et är redan klart.")
        return carrier
    enrolments.require_open(row)
    if row.state != EnrolmentState.CODE_SET:
        raise Conflict("code-not-set", "Koden är inte vald än. Välj kod innan du skriver under.")
    _certificates(request)
    now, actor_ref = clock.now(), holder(row.person_id).ref
    facts: dict[str, Any] = {"mobile_enrolment": str(row.pk)}
    steps.step([carrier], CarrierAction.CONFIRM, actor_ref=actor_ref, facts=facts, activated_at=now)
    request.confirmation, request.confirmed_at = signature, now
    request.save(update_fields=["confirmation", "confirmed_at"])
    enrolments.end(row, EnrolmentAction.COMPLETE, actor_ref=actor_ref, facts={"carrier": str(carrier.pk)})
    return carrier


def _request(row: MobileEnrolment) -> MobileRequest:
    found = MobileRequest.objects.select_related("enrolment").filter(enrolment=row).first()
    if found is None:
        raise Conflict("certificates-missing", "Certifikaten är inte klara. Begär dem först.")
    return found


def _certificates(request: MobileRequest) -> dict[str, bytes]:
    """Returns the certificates (DER) of a request by profile. Raises Conflict unless all of them are valid."""
    views = pki.certificates([UUID(id_) for id_ in request.certificate_ids.values()])
    in_force = [view.status == "issued" and not view.held and view.not_after > clock.now() for view in views]
    if len(views) != len(request.certificate_ids) or not all(in_force):
        raise Conflict("certificates-not-in-force", "Alla certifikat är inte giltiga än. Försök igen om en stund.")
    return {view.profile: view.der or b"" for view in views}
