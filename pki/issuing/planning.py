"""Plans certificates: checks and stores everything, with the serial, before the token signs (rules/pki 3.1).

Runs in the caller's transaction and in processes without a token. The `pki` worker signs exactly the bytes that are stored here.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import batched, count
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from django.conf import settings
from django.db import IntegrityError, transaction

from pki.authorities import clock_guard, stored_profiles
from pki.authorities.crl_addresses import issuer_for
from pki.authorities.queries import issuer_of
from pki.domain import alternative_names, keys, names, proof_of_possession, serials, tbs
from pki.domain.orders import CertificateOrder, SerialOnly
from pki.domain.policies import PolicyEnded
from pki.domain.profiles import PROFILES, Profile
from pki.domain.tbs import Content, Issuer
from pki.issuing import issuance_sets, key_checks, lint, pkilint_sampling, shared_factors
from pki.issuing.reserved import COLUMNS, Reserved
from pki.models import (
    HOLDER_REASONS,
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    Event,
    ProfileVersion,
    SerialMode,
    draw_status_versions,
)
from siths_portal.lib import clock, faults
from siths_portal.lib.database import bulk
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import new_id
from siths_portal.lib.processes import jobs

# notBefore is slightly in the past, for relying parties whose clocks are behind.
BACKDATE = dt.timedelta(minutes=1)
_SERIAL_CONSTRAINT = "pki_certificate_serial"
_DRAWS = 3
_SERIAL_ONLY_COLUMNS = (
    "id", "serial", "status", "subject_ref", "carrier_ref", "unit_ref", "not_before", "not_after", "issued_at", "revoked_at",
    "reason", "status_version",
)  # fmt: skip
_DIGITS = frozenset("0123456789")
# Takes the lock of the new rows' foreign key already when the state is read. A CA that stops issuing (`ca_states.locked`) waits
# for transactions that plan, and later ones see that it has stopped, so no row is reserved after its last CRL.
_CAS_KEPT = "SELECT * FROM pki_keep_authorities(%s)"


@dataclass(frozen=True)
class Planned:
    """An order that has passed every check and has no serial yet."""

    order: CertificateOrder
    ca: CertificateAuthority
    issuer: Issuer
    profile: Profile
    content: Content
    use: key_checks.Use


def wake_signer(certificate_ids: Sequence[UUID]) -> None:
    """Wakes the signer for planned certificates when the caller's transaction commits. It signs them together."""
    if certificate_ids:
        jobs.enqueue("pki.sign", queue="pki", certificate_ids=[str(id_) for id_ in certificate_ids])


def plan_certificates(
    orders: Sequence[CertificateOrder],
    *,
    actor_ref: str,
    unit_ref: str,
    client_ref: str = "",
    whole: bool = False,
    held: bool = False,
    wake: bool = True,
    ids: Sequence[UUID] = (),
) -> list[UUID]:
    """Reserves a serial and stores the to-be-signed bytes for each order, and wakes the signer when the transaction commits.

    Joins the caller's transaction. Returns ids in the order of `orders`. With `whole` the certificates are one set: each has a
    key of its own, all keys are of one type, and if one certificate is not issued in the end, the others are revoked. With `held`
    they are on hold from issuance until the hold is released (`pki.revocation.holds`), as for a card whose holder has not chosen
    its code. Without `wake` the caller calls `wake_signer`, once for many calls. `ids` are the certificates' ids, if the caller
    has chosen them. Raises Invalid (a field, a request, a key that is not certified), Conflict (a CA that does not issue, a key
    that another subject has or that was compromised) and Unavailable (the list of weak keys, a clock that went back).
    """
    now = clock_guard.require()
    authorities = _authorities({order.ca for order in orders})
    planned = [_check(order, authorities[order.ca], now) for order in orders]
    uses = [each.use for each in planned]
    key_checks.refuse(uses, one_set=whole)
    versions = stored_profiles.versions({each.profile.name for each in planned})
    chosen = list(ids) or [new_id() for _ in planned]
    alike = Certificate(unit_ref=unit_ref, client_ref=client_ref, created_at=now)
    for draw in range(_DRAWS):
        rows = [_reserved(id_, each, versions[each.profile.name], held=held) for id_, each in zip(chosen, planned, strict=True)]
        try:
            with transaction.atomic():
                bulk.insert_values(Certificate, COLUMNS, (row.values() for row in rows), like=alike)
            break
        except IntegrityError as error:
            # The constraint refuses a serial that exists already; another one is drawn.
            if _SERIAL_CONSTRAINT not in str(error) or draw == _DRAWS - 1:
                raise
    pkilint_sampling.require(rows, {slug: issuer for slug, (_ca, issuer) in authorities.items()})
    shared_factors.enter(uses, now)
    if whole:
        issuance_sets.open_set(chosen)
    record_reservation(rows, actor_ref, now)
    if wake:
        wake_signer(chosen)
    faults.point("pki.plan.before-commit")
    return chosen


def plan_serial_only(rows: Iterable[SerialOnly], *, ca: str, actor_ref: str) -> list[UUID]:
    """Inserts certificates of another system, known only by serial, under a CA with state `status_only`; returns their ids.

    Joins the caller's transaction, in batches, with one event for all. Raises Invalid for a serial or reason, and Conflict for a
    CA of another state and for a serial that is known.
    """
    authority = CertificateAuthority.objects.filter(slug=ca).order_by("-generation").first()
    if authority is None or authority.state != CaState.STATUS_ONLY:
        raise Conflict("ca-not-status-only", "Utfärdaren tar inte emot certifikat som är utfärdade på annat håll.")
    alike = Certificate(ca=authority, created_at=clock.now())
    ids: list[UUID] = []
    for part in batched(rows, 5000, strict=False):
        revoked = sum(each.revoked_at is not None for each in part)
        versions = count(draw_status_versions(authority.id, revoked)) if revoked else count()
        made = [_serial_only(each, versions) for each in part]
        try:
            with transaction.atomic():
                bulk.insert_values(Certificate, _SERIAL_ONLY_COLUMNS, made, like=alike)
        except IntegrityError as error:
            if _SERIAL_CONSTRAINT not in str(error):
                raise
            raise Conflict("serial-known", "Ett av serienumren finns redan hos utfärdaren.") from None
        ids += [row[0] for row in made]
    if ids:
        Event.record(
            actor_ref=actor_ref,
            action="certificates.registered",
            subject_type="certificate_authority",
            subject_ref=str(authority.id),
            facts={"ca": ca, "count": len(ids), "first": str(ids[0]), "last": str(ids[-1])},
        )
    return ids


def _serial_only(given: SerialOnly, versions: Iterator[int]) -> tuple[Any, ...]:
    """Returns the values of `_SERIAL_ONLY_COLUMNS`; a revoked certificate gets the next status version."""
    try:
        serial = serials.text(serials.number(given.serial))
    except ValueError:
        raise Invalid("serial", "Serienumret är inte rätt.", fields={"serial": ["Ange hexadecimala siffror."]}) from None
    if (given.revoked_at is None) != (given.reason == "") or (given.reason and given.reason not in HOLDER_REASONS):
        raise Invalid("reason", "Spärrtid och spärrorsak hör ihop.", fields={"reason": ["Ange både tid och orsak, eller ingen."]})
    status, version = (CertificateStatus.REVOKED, next(versions)) if given.revoked_at else (CertificateStatus.ISSUED, 0)
    return (
        new_id(), serial, status.value, given.subject_ref, given.carrier_ref, given.unit_ref, given.not_before, given.not_after,
        given.not_before, given.revoked_at, given.reason, version,
    )  # fmt: skip


def _authorities(slugs: set[str]) -> dict[str, tuple[CertificateAuthority, Issuer]]:
    found: dict[str, CertificateAuthority] = {}
    for row in CertificateAuthority.objects.raw(_CAS_KEPT, [list(slugs)]):
        if row.state == CaState.ACTIVE or row.slug not in found:
            found[row.slug] = row
    for slug in slugs:
        if slug not in found:
            raise Invalid("ca-unknown", "Utfärdaren finns inte.", fields={"ca": ["Utfärdaren finns inte."]})
        if found[slug].state != CaState.ACTIVE:
            raise Conflict("ca-not-active", "Utfärdaren utfärdar inga certifikat nu.")
    return {slug: (row, issuer_of(row)) for slug, row in found.items()}


def _check(order: CertificateOrder, authority: tuple[CertificateAuthority, Issuer], now: dt.datetime) -> Planned:
    ca, issuer = authority
    profile = PROFILES.get(order.profile)
    if profile is None or ca.slug not in profile.issuers:
        reason = "Profilen finns inte hos utfärdaren."
        raise Invalid("profile-not-offered", reason, fields={"profile": [reason]})
    if not profile.orderable:
        raise Invalid("profile-not-orderable", "Sådana certifikat görs bara av PKI:n själv.")
    public_key = _proven_key(order)
    wrong = names.faults(profile.subject, order.subject)
    wrong |= alternative_names.faults(profile.alternative_names, profile.alternative_name_required, order.subject_alternative)
    wrong |= _card_fault(profile, order)
    if (key_fault := keys.fault(public_key, profile.keys)) is not None:
        wrong[order.key_field] = [key_fault]
    not_before = (now - BACKDATE).replace(microsecond=0)
    not_after, too_long = _end(order.not_after, not_before, profile, issuer)
    if too_long:
        wrong["not_after"] = [too_long]
    policies = _policies(profile, order, not_before, wrong)
    if wrong:
        raise Invalid("certificate-order", "Certifikatet kan inte utfärdas med dessa uppgifter.", fields=wrong)
    content = Content(
        subject=dict(order.subject),
        alternative=dict(order.subject_alternative),
        public_key=public_key,
        serial=0,
        not_before=not_before,
        not_after=not_after,
        policies=policies,
        card_number=order.card_number,
    )
    spki = keys.spki_sha256(public_key)
    use = key_checks.Use(public_key, spki, order.subject_ref, profile.name, order.key_field)
    return Planned(order, ca, issuer, profile, content, use)


def _policies(profile: Profile, order: CertificateOrder, not_before: dt.datetime, wrong: dict[str, list[str]]) -> tuple[str, ...]:
    """Returns the policies in force at notBefore; adds a retired policy to `wrong`."""
    try:
        return tuple(profile.policies(order.ca, order.subject, settings.PKI_POLICY_ARC, not_before))
    except PolicyEnded:
        wrong["profile"] = ["Ingen certifikatpolicy gäller i dag för ett sådant certifikat från utfärdaren."]
        return ()


def _proven_key(order: CertificateOrder) -> PublicKeyTypes:
    if order.signed_key is None:
        return proof_of_possession.key_of_request(order.csr_der, field=order.key_field)
    return proof_of_possession.key_of_signed(order.signed_key)


def _card_fault(profile: Profile, order: CertificateOrder) -> Mapping[str, list[str]]:
    number = order.card_number
    if not profile.card_number:
        return {} if number is None else {"card_number": ["Ett sådant certifikat har inget kortnummer."]}
    if number is None or len(number) != lint.CARD_NUMBER_DIGITS or not set(number) <= _DIGITS:
        return {"card_number": ["Kortnumret ska vara 19 siffror."]}
    if profile.subject_is_card and order.subject.get("serialNumber", number) != number:
        return {"card_number": ["Kortnumret ska vara det som certifikatet är utställt på."]}
    return {}


def _end(wanted: dt.datetime, not_before: dt.datetime, profile: Profile, issuer: Issuer) -> tuple[dt.datetime, str]:
    """Returns notAfter, never after the CA's (F10.14), and the fault of the requested one, if any."""
    end = wanted.replace(microsecond=0)
    if issuer.not_after is not None:
        end = min(end, issuer.not_after)
    if end <= not_before + BACKDATE:
        return end, "Giltighetstiden är slut innan den har börjat."
    if wanted.replace(microsecond=0) - not_before > dt.timedelta(days=profile.max_days):
        return end, f"Giltighetstiden är längre än {profile.max_days} dagar."
    return end, ""


def draw_serial(ca: CertificateAuthority) -> int:
    """Returns a new serial by the CA's method. The table's constraint guarantees that it is unique."""
    if ca.serial_mode == SerialMode.RANDOM:
        return serials.random()
    return serials.time_random(int(clock.now().timestamp() * 1000))


def _reserved(id_: UUID, planned: Planned, version: ProfileVersion, *, held: bool) -> Reserved:
    return Reserved(
        id=id_,
        ca=planned.ca,
        profile_version=version,
        subject_ref=planned.order.subject_ref,
        carrier_ref=planned.order.carrier_ref,
        held=held,
        **_linted(planned.ca, planned.issuer, planned.profile, planned.content),
    )


def reserve_row(ca: CertificateAuthority, issuer: Issuer, profile: Profile, content: Content, now: dt.datetime) -> Certificate:
    """Returns an unsaved row with a serial and linted to-be-signed bytes. Raises Invalid if our own check finds a fault."""
    return Certificate(ca=ca, status=CertificateStatus.RESERVED, created_at=now, **_linted(ca, issuer, profile, content))


def _linted(ca: CertificateAuthority, issuer: Issuer, profile: Profile, content: Content) -> dict[str, Any]:
    """Returns a serial, to-be-signed bytes without a fault in our own check, and the columns with the same values."""
    start, end = content.not_before.replace(microsecond=0), content.not_after.replace(microsecond=0)
    content = replace(content, serial=draw_serial(ca), not_before=start, not_after=end)
    issuer = issuer_for(ca, issuer, content.serial)
    to_be_signed = tbs.build(profile, issuer, content)
    stored = lint.StoredValues(serials.text(content.serial), hashlib.sha256(content.spki).hexdigest(), start, end)
    found = lint.faults(to_be_signed, profile, issuer, settings.PKI_POLICY_ARC, stored)
    if found:
        raise Invalid("certificate-lint", f"Certifikatet uppfyller inte sin profil: {', '.join(found)}.")
    return {
        "serial": stored.serial,
        "tbs_der": to_be_signed,
        "tbs_sha256": hashlib.sha256(to_be_signed).hexdigest(),
        "spki_sha256": stored.spki_sha256,
        "not_before": start,
        "not_after": end,
    }


def record_reservation(rows: Sequence[Certificate | Reserved], actor_ref: str, now: dt.datetime) -> None:
    """Writes one event for each reserved row, in the caller's transaction."""
    subjects = ((str(row.id), _reserved_facts(row)) for row in rows)
    Event.record_each(subjects, at=now, actor_ref=actor_ref, action="certificate.reserved", subject_type="certificate")


def _reserved_facts(row: Certificate | Reserved) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "ca": row.ca.slug,
        "profile": str(row.profile_version),
        "serial": row.serial,
        "tbs_sha256": row.tbs_sha256,
        "spki_sha256": row.spki_sha256,
        "subject_ref": row.subject_ref,
        "carrier_ref": row.carrier_ref,
    }
    return facts | {"held": True} if row.held else facts
