"""The key ceremony: makes the CAs that a reviewed file describes, in the token, and writes down what was done (spec F9).

Every step asks first whether it is done, so a ceremony that was cut off is finished by following the same file again, and a
finished one changes nothing. A CA that is there is never changed: another description of it stops everything before it starts.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from django.db import connection, transaction

from pki import crl, issuing, ocsp, planning, profiles, responders, transcript
from pki.authorities import issuer_of
from pki.domain import keys, names
from pki.domain.ceremony_file import AuthorityPlan, CeremonyFile
from pki.domain.profiles import PROFILES
from pki.domain.tbs import Content, Issuer
from pki.hsm import hsm_for
from pki.models import (
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    CertificateStatus,
    Crl,
    Event,
    HsmKey,
    KeyPurpose,
    OcspSigner,
)
from pki.token_keys import Wanted
from siths_portal.lib import clock, faults
from siths_portal.lib.errors import Conflict

DEMO_PREFIX = "DEMO SITHS e-id"
_LOCK = 0x70_6B_69_01  # one ceremony at a time, in the whole database


@dataclass(frozen=True)
class Outcome:
    """What a ceremony came to: `changed` is False if everything was there; `transcript` is the file that tells, if changed."""

    changed: bool
    authorities: int
    transcript: Path | None


def intentions(ceremony: CeremonyFile) -> list[str]:
    """What following the file would do, one line each in Swedish; empty if all is done. Raises Conflict as `perform` would."""
    _refuse_conflicts(ceremony)
    rows = {(row.slug, row.generation): row for row in CertificateAuthority.objects.all()}
    lines = []
    for plan in ceremony.authorities:
        row = rows.get((plan.slug, plan.generation))
        if row is None or row.state == CaState.PLANNED:
            lines.append(f"gör nyckel ({plan.key}) och certifikat för {plan.common_name}")
        if plan.ocsp_signer and not (row and row.ocsp_signers.exists()):
            lines.append(f"gör OCSP-signerare ({plan.ocsp_signer}) för {plan.common_name}")
        if not (row and row.crls.exists()):
            lines.append(f"publicera spärrlista för {plan.common_name}")
    if ceremony.secret_keys:
        made = set(HsmKey.objects.filter(retired_at=None).values_list("purpose", flat=True))
        lines += [f"gör nyckel för koder ({each})" for each in (KeyPurpose.KEK, KeyPurpose.SECRET_DERIVE) if each not in made]
    return lines


def perform(ceremony: CeremonyFile, *, say: Callable[[str], None] = lambda line: None) -> Outcome:
    """Follows the file; `say` is told each step. Raises Conflict, HsmError, NotIssuable; repeating goes on where it stopped."""
    with _alone():
        started = clock.now()
        todo = intentions(ceremony)
        run = _Run(ceremony, say)
        rows = [run.authority(plan) for plan in ceremony.authorities]
        if ceremony.secret_keys:
            run.secret_keys()
        for plan, row in zip(ceremony.authorities, rows, strict=True):
            run.responder(plan, row)
        for row in rows:
            run.publish(row)
        if not todo:
            return Outcome(False, len(rows), None)
        for row in rows:
            if row.state == CaState.OFFLINE:
                say(f"OCSP-svar för {ocsp.presign_all(row)} certifikat från {row.common_name}")
        written = transcript.write(ceremony, rows, started=started, actor_ref=run.actor_ref)
        say(f"protokoll {written.name}")
        return Outcome(True, len(rows), written)


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


def _refuse_conflicts(ceremony: CeremonyFile) -> None:
    rows = {(row.slug, row.generation): row for row in CertificateAuthority.objects.all()}
    stems = {row.file_stem: (row.slug, row.generation) for row in rows.values()}
    for plan in ceremony.authorities:
        if settings.DEBUG and not plan.common_name.startswith(DEMO_PREFIX):
            raise Conflict("ca-name-not-demo", f"Utanför produktion ska namnet börja med {DEMO_PREFIX}: {plan.common_name}.")
        wrong = names.faults(PROFILES[plan.profile].subject, plan.subject)
        if wrong:
            raise Conflict("ca-name-wrong", f"Namnet går inte att skriva i ett certifikat: {plan.common_name}.", fields=wrong)
        known = rows.get((plan.slug, plan.generation))
        if known is not None and known.definition_sha256 != plan.sha256:
            raise Conflict("ca-differs", f"{plan.slug} finns redan med en annan beskrivning än filens. Inget är ändrat.")
        if stems.get(names.file_stem(plan.common_name), (plan.slug, plan.generation)) != (plan.slug, plan.generation):
            raise Conflict("ca-name-taken", f"En annan utfärdare heter redan {plan.common_name}.")


class _Run:
    """One following of a file."""

    def __init__(self, ceremony: CeremonyFile, say: Callable[[str], None]) -> None:
        self.ceremony = ceremony
        self.say = say
        self.actor_ref = f"ceremony:{ceremony.sha256[:16]}"

    def authority(self, plan: AuthorityPlan) -> CertificateAuthority:
        """The CA with key and certificate, in the state that the file says."""
        ca = self._row(plan)
        if ca.state != CaState.PLANNED:
            return ca
        self.say(f"nyckel för {plan.common_name}")
        key = self._key(plan, ca)
        faults.point("pki.ceremony.after-key")
        row = self._certificate_row(plan, ca, key)
        if row.status == CertificateStatus.RESERVED:
            to_be_signed = bytes(row.tbs_der or b"")
            signer = self._signer(ca, key)
            issuing.store(row, issuing.sign_tbs(to_be_signed, signer))
        faults.point("pki.ceremony.after-certificate")
        self._activate(plan, ca, key, row)
        self.say(f"certifikat för {plan.common_name}")
        return ca

    def _row(self, plan: AuthorityPlan) -> CertificateAuthority:
        parent = CertificateAuthority.objects.current(plan.parent) if plan.parent else None
        ca, _made = CertificateAuthority.objects.get_or_create(
            slug=plan.slug,
            generation=plan.generation,
            defaults={
                "common_name": plan.common_name,
                "parent": parent,
                "definition_sha256": plan.sha256,
                "file_stem": names.file_stem(plan.common_name),
                "token_label": {"root": settings.PKCS11_ROOT_TOKEN, "issuing": settings.PKCS11_TOKEN}[plan.token],
                "crl_period": plan.crl_period,
                "crl_validity": plan.crl_validity,
                "serial_mode": plan.serials,
                "created_at": clock.now(),
            },
        )
        return ca

    def _key(self, plan: AuthorityPlan, ca: CertificateAuthority) -> HsmKey:
        label = f"siths/{self.ceremony.environment}/{plan.slug}-g{plan.generation}/ca/{ca.created_at:%Y-%m}"
        wanted = Wanted(hsm_for(ca.token_label), KeyPurpose.CA, label, plan.key)
        return wanted.ensure(actor_ref=self.actor_ref)

    @transaction.atomic(durable=True)
    def _certificate_row(self, plan: AuthorityPlan, ca: CertificateAuthority, key: HsmKey) -> Certificate:
        """The reserved row of the CA's certificate, under its parent, or under itself for a root."""
        issuing_ca = ca.parent or ca
        subject_ref = f"ca:{plan.slug}:{plan.generation}"
        known = (
            Certificate.objects.filter(ca=issuing_ca, subject_ref=subject_ref).exclude(status=CertificateStatus.FAILED).first()
        )
        if known is not None:
            return known
        now = clock.now()
        profile = PROFILES[plan.profile]
        issuer = issuer_of(ca.parent) if ca.parent else _self_issuer(plan, key)
        content = Content(
            subject=plan.subject,
            alternative={},
            public_key=load_der_public_key(bytes(key.public_key_der)),
            serial=0,
            not_before=now - planning.BACKDATE,
            not_after=plan.not_after,
            policies=tuple(profile.policies(issuer.slug, plan.subject, settings.PKI_POLICY_ARC)),
        )
        row = planning.reserve_row(issuing_ca, issuer, profile, content, now)
        row.profile_version = profiles.versions([profile.name])[profile.name]
        row.subject_ref = subject_ref
        row.save(force_insert=True)
        planning.record_reservation([row], self.actor_ref, now)
        return row

    def _signer(self, ca: CertificateAuthority, key: HsmKey) -> issuing.Signer:
        if ca.parent is None:
            return issuing.Signer(ca.token_label, key.key_id, load_der_public_key(bytes(key.public_key_der)))
        return issuing.Signer(ca.parent.token_label, ca.parent.key_id, issuer_of(ca.parent).public_key)

    @transaction.atomic(durable=True)
    def _activate(self, plan: AuthorityPlan, ca: CertificateAuthority, key: HsmKey, row: Certificate) -> None:
        blob = CertificateBlob.objects.filter(certificate=row).first()
        if blob is None:
            raise issuing.NotIssuable("the CA's certificate was revoked before it was issued")
        described = _describe(ca, bytes(blob.der))
        ca.state, ca.key_id = plan.state, key.key_id
        # Not the counters: they have moved since the row was read.
        ca.save(update_fields=["state", "key_id", *described])
        Event.record(
            actor_ref=self.actor_ref,
            action="authority.created",
            subject_type="certificate_authority",
            subject_ref=str(ca.id),
            facts={
                "slug": ca.slug,
                "generation": ca.generation,
                "state": ca.state,
                "common_name": ca.common_name,
                "key_id": ca.key_id,
                "certificate_sha256": hashlib.sha256(bytes(blob.der)).hexdigest(),
                "definition_sha256": ca.definition_sha256,
            },
        )

    def secret_keys(self) -> None:
        """The key that seals secrets and the one that they are encrypted to."""
        token, environment = hsm_for(settings.PKCS11_TOKEN), self.ceremony.environment
        for purpose, algorithm in ((KeyPurpose.KEK, "aes-256"), (KeyPurpose.SECRET_DERIVE, "ec-p256")):
            if HsmKey.objects.filter(purpose=purpose, retired_at=None).exists():
                continue
            self.say(f"nyckel för koder ({purpose})")
            Wanted(token, purpose, f"siths/{environment}/{purpose}/{clock.today():%Y}", algorithm).ensure(
                actor_ref=self.actor_ref
            )

    def responder(self, plan: AuthorityPlan, ca: CertificateAuthority) -> None:
        """The CA's first OCSP responder; later ones are made by `responders.renew_due`."""
        if plan.ocsp_signer and not OcspSigner.objects.filter(ca=ca).exists():
            self.say(f"OCSP-signerare för {plan.common_name}")
            responders.ensure(ca, algorithm=plan.ocsp_signer, actor_ref=self.actor_ref)

    def publish(self, ca: CertificateAuthority) -> None:
        """The CA's certificate where caIssuers points, and its first CRL."""
        crl.publish_ca_certificate(ca)
        if not Crl.objects.filter(ca=ca).exists():
            self.say(f"spärrlista för {ca.common_name}")
            crl.publish_crl(ca.id)


def _self_issuer(plan: AuthorityPlan, key: HsmKey) -> Issuer:
    public_key = load_der_public_key(bytes(key.public_key_der))
    return Issuer(
        slug=plan.slug,
        name=names.build(PROFILES[plan.profile].subject, plan.subject),
        ski=x509.SubjectKeyIdentifier.from_public_key(public_key).digest,  # type: ignore[arg-type]
        public_key=public_key,
    )


def _describe(ca: CertificateAuthority, der: bytes) -> list[str]:
    """Fills the columns that follow from the CA's certificate, both halves of CertIDs among them, and returns their names."""
    certificate = x509.load_der_x509_certificate(der)
    parsed = asn1_x509.Certificate.load(der)["tbs_certificate"]
    subject = parsed["subject"].dump()
    bits = parsed["subject_public_key_info"]["public_key"].contents[1:]
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    values = {
        "certificate_der": der,
        "subject_der": subject,
        "spki_sha256": keys.spki_sha256(certificate.public_key()),
        "ski": identifier.digest.hex(),
        "not_before": certificate.not_valid_before_utc,
        "not_after": certificate.not_valid_after_utc,
        "name_sha1": hashlib.sha1(subject, usedforsecurity=False).hexdigest(),
        "name_sha256": hashlib.sha256(subject).hexdigest(),
        "key_sha1": hashlib.sha1(bits, usedforsecurity=False).hexdigest(),
        "key_sha256": hashlib.sha256(bits).hexdigest(),
    }
    for name, value in values.items():
        setattr(ca, name, value)
    return list(values)
