"""The steps of a ceremony. Each first checks whether it is done, so that an interrupted ceremony continues where it stopped."""

import datetime as dt
import hashlib
from collections.abc import Callable

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from django.db import transaction

from pki.authorities import ca_states, stored_profiles
from pki.authorities.queries import certificate_of, issuer_of
from pki.crl import building
from pki.domain import keys, names
from pki.domain.ceremony_file import Act, AuthorityPlan, CeremonyFile
from pki.domain.profiles import PROFILES
from pki.domain.tbs import Content, Issuer
from pki.hsm import hsm_for
from pki.hsm.token_keys import SERVICE_KEYS, WantedKey
from pki.issuing import planning, responders, signing
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
    RevocationReason,
)
from pki.ocsp import presigning
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock, faults
from siths_portal.lib.errors import Conflict


def actor_ref(ceremony: CeremonyFile) -> str:
    """Returns the ceremony as the actor of events."""
    return f"ceremony:{ceremony.sha256[:16]}"


class Run:
    """One execution of a file. `since` is when the ceremony first began; `say` is called for each step."""

    def __init__(self, ceremony: CeremonyFile, since: dt.datetime, say: Callable[[str], None]) -> None:
        self.ceremony = ceremony
        self.since = since
        self.say = say
        self.actor_ref = actor_ref(ceremony)
        self.touched: dict[int, CertificateAuthority] = {}

    def follow(self) -> list[CertificateAuthority]:
        """Executes every step of the file and returns the CAs that it concerns, including parents."""
        plans = self.ceremony.authorities
        rows = [self._touch(self.authority(plan)) for plan in plans]
        if self.ceremony.secret_keys:
            self.secret_keys()
        for plan, row in zip(plans, rows, strict=True):
            self.responder(plan, row)
        for row in rows:
            self.publish(row)
        for act in self.ceremony.acts:
            faults.point("pki.ceremony.before-act")
            self.act(act)
        for ca in self.touched.values():
            if ca.state == CaState.OFFLINE:
                self.say(f"OCSP-svar för {presigning.presign_all(ca)} certifikat från {ca.common_name}")
        return list(self.touched.values())

    def _touch(self, ca: CertificateAuthority) -> CertificateAuthority:
        for each in filter(None, (ca.parent, ca)):
            self.touched[each.id] = each
        return ca

    def authority(self, plan: AuthorityPlan) -> CertificateAuthority:
        """Makes and returns the CA with key and certificate, in the state that the file gives."""
        ca = self._row(plan)
        if ca.certificate_der:
            return ca
        self.say(f"nyckel för {plan.common_name}")
        key = self._key(plan, ca)
        faults.point("pki.ceremony.after-key")
        row = self._certificate_row(plan, ca, key)
        if row.status == CertificateStatus.RESERVED:
            to_be_signed = bytes(row.tbs_der or b"")
            signer = self._signer(ca, key)
            signing.store(row, signing.sign_tbs(to_be_signed, signer))
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
                "crl_shards": plan.crl_shards,
                "serial_mode": plan.serials,
                "created_at": clock.now(),
            },
        )
        return ca

    def _key(self, plan: AuthorityPlan, ca: CertificateAuthority) -> HsmKey:
        label = f"siths/{self.ceremony.environment}/{plan.slug}-g{plan.generation}/ca/{ca.created_at:%Y-%m}"
        wanted = WantedKey(hsm_for(ca.token_label), KeyPurpose.CA, label, plan.key)
        return wanted.ensure(actor_ref=self.actor_ref)

    @transaction.atomic(durable=True)
    def _certificate_row(self, plan: AuthorityPlan, ca: CertificateAuthority, key: HsmKey) -> Certificate:
        """Returns the reserved row of the CA's certificate, under its parent, or under itself for a root."""
        known = certificate_of(ca)
        if known is not None:
            return known
        issuing_ca = ca.parent or ca
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
        row.profile_version = stored_profiles.versions([profile.name])[profile.name]
        row.subject_ref = f"ca:{plan.slug}:{plan.generation}"
        row.save(force_insert=True)
        planning.record_reservation([row], self.actor_ref, now)
        return row

    def _signer(self, ca: CertificateAuthority, key: HsmKey) -> signing.Signer:
        if ca.parent is None:
            return signing.Signer(ca.token_label, key.key_id, load_der_public_key(bytes(key.public_key_der)))
        return signing.Signer(ca.parent.token_label, ca.parent.key_id, issuer_of(ca.parent).public_key)

    @transaction.atomic(durable=True)
    def _activate(self, plan: AuthorityPlan, ca: CertificateAuthority, key: HsmKey, row: Certificate) -> None:
        blob = CertificateBlob.objects.filter(certificate=row).first()
        if blob is None:
            raise signing.NotIssuable("the CA's certificate was revoked before it was issued")
        described = describe(ca, bytes(blob.der))
        ca.state, ca.key_id = plan.state, key.key_id
        # Without the counters, which have changed since the row was read.
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
        """Makes the keys that belong to no CA: those for secrets, for the audit chain and for the token's probe."""
        token, environment = hsm_for(settings.PKCS11_TOKEN), self.ceremony.environment
        for purpose, algorithm in SERVICE_KEYS.items():
            if HsmKey.objects.filter(purpose=purpose, retired_at=None).exists():
                continue
            self.say(f"tjänstenyckel ({purpose})")
            WantedKey(token, purpose, f"siths/{environment}/{purpose}/{clock.today():%Y}", algorithm).ensure(
                actor_ref=self.actor_ref
            )

    def responder(self, plan: AuthorityPlan, ca: CertificateAuthority) -> None:
        """Makes the CA's first OCSP responder; `responders.renew_due` makes later ones."""
        if plan.ocsp_signer and not OcspSigner.objects.filter(ca=ca).exists():
            self.say(f"OCSP-signerare för {plan.common_name}")
            responders.ensure(ca, algorithm=plan.ocsp_signer, actor_ref=self.actor_ref)

    def publish(self, ca: CertificateAuthority) -> None:
        """Publishes the CA's certificate at its caIssuers URL, and its first CRL."""
        building.publish_ca_certificate(ca)
        if not Crl.objects.filter(ca=ca).exists():
            self._list(ca)

    def _list(self, ca: CertificateAuthority) -> None:
        self.say(f"spärrlista för {ca.common_name}")
        building.publish_all(ca)

    def act(self, act: Act) -> None:
        """Executes one of the file's acts."""
        ca = CertificateAuthority.objects.select_related("parent").get(slug=act.slug, generation=act.generation)
        self._touch(ca)
        if act.kind == "renew-status":
            # A CRL of this ceremony needs no newer one. A CRL from the second in which the ceremony began may be older than it.
            if not Crl.objects.filter(ca=ca, this_update__gt=self.since).exists():
                self._list(ca)
        elif act.kind == "revoke":
            self._revoke(ca, act)
        else:
            self._change(ca, act)

    def _revoke(self, ca: CertificateAuthority, act: Act) -> None:
        """Revokes the CA's certificate, stops the CA and publishes its parent's list."""
        row, parent = certificate_of(ca), ca.parent
        if row is None or parent is None:
            raise Conflict("ca-not-revocable", f"{ca.common_name} har ingen utfärdare som kan spärra dess certifikat.")
        target = CaState.COMPROMISED if act.value == RevocationReason.CA_COMPROMISE else CaState.RETIRED
        with transaction.atomic(durable=True):
            plan_revocation(
                [row.id],
                reason=act.value,
                actor_ref=self.actor_ref,
                received_at=self.since,
                channel="system",
                justification=act.justification,
            )
            current = ca_states.locked(ca.slug, ca.generation)
            if current.state not in (target, CaState.COMPROMISED):
                ca_states.apply(current, target, actor_ref=self.actor_ref, facts={"why": act.justification})
        row.refresh_from_db(fields=["status_version"])
        if not Crl.objects.filter(ca=parent, status_version__gte=row.status_version).exists():
            self.say(f"certifikatet för {ca.common_name} är spärrat")
            self._list(parent)

    @transaction.atomic(durable=True)
    def _change(self, ca: CertificateAuthority, act: Act) -> None:
        current = ca_states.locked(ca.slug, ca.generation)
        if current.state == act.value:
            return
        ca_states.apply(current, act.value, actor_ref=self.actor_ref, facts={"why": act.justification})
        self.say(f"{ca.common_name} är nu {act.value}")


def _self_issuer(plan: AuthorityPlan, key: HsmKey) -> Issuer:
    public_key = load_der_public_key(bytes(key.public_key_der))
    return Issuer(
        slug=plan.slug,
        name=names.build(PROFILES[plan.profile].subject, plan.subject),
        ski=x509.SubjectKeyIdentifier.from_public_key(public_key).digest,  # type: ignore[arg-type]
        public_key=public_key,
    )


def describe(ca: CertificateAuthority, der: bytes) -> list[str]:
    """Fills the columns derived from the CA's certificate, including both hashes of CertIDs; returns the columns' names."""
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
