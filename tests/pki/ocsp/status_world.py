"""A small PKI in a token of its own, for tests of the status services: a root, two issuing CAs with responders, certificates."""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from pki.authorities.crl_addresses import crl_url
from pki.domain.crl_shards import shard_of
from pki.hsm import Algorithm, Hsm, KeySpec, hsm_for
from pki.models import (
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    CertificateStatus,
    HsmKey,
    KeyFinding,
    KeyPurpose,
    OcspSigner,
    draw_status_versions,
)
from siths_portal.lib import clock
from tests.first_rows import first_rows
from tests.pki_fixtures import make_token

TOKEN = "status-tests"
HOLDER_KEY = ec.generate_private_key(ec.SECP256R1())
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Keys:
    token: Hsm
    root: str
    first: str
    second: str
    first_signer: str
    second_signer: str
    kek: str
    derive: str


def make_keys() -> Keys:
    make_token(TOKEN)
    token = hsm_for(TOKEN)

    def made(algorithm, label):
        return token.generate(KeySpec(algorithm, label)).key_id

    return Keys(
        token,
        root=made(Algorithm.RSA_2048, "root"),
        first=made(Algorithm.RSA_2048, "first"),
        second=made(Algorithm.EC_P384, "second"),
        first_signer=made(Algorithm.EC_P256, "first-signer"),
        second_signer=made(Algorithm.EC_P256, "second-signer"),
        kek=token.generate_kek("kek").key_id,
        derive=token.generate_derive_key("derive").key_id,
    )


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Demo AB"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def stem(common_name: str) -> str:
    return common_name.lower().replace(" ", "").replace("-", "")


class World:
    """Makes rows in this test's database; keys come from the session's token. The CAs are signed once (`first_rows`)."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.token = keys.token
        made = first_rows("status world", "pki", self._authorities)
        self.root, self.first, self.second = made["root"], made["first"], made["second"]

    def _authorities(self) -> dict[str, CertificateAuthority]:
        root = self.authority("root", "DEMO SITHS e-id Root CA v2", self.keys.root, None, state=CaState.OFFLINE)
        first = self.authority("person-hsaid-3", "DEMO SITHS e-id Person HSA-id 3 CA v1", self.keys.first, root)
        second = self.authority("function", "DEMO SITHS e-id Function CA v1", self.keys.second, root)
        self.signer(first, self.keys.first_signer)
        self.signer(second, self.keys.second_signer)
        return {"root": root, "first": first, "second": second}

    def authority(self, slug, common_name, key_id, parent, state=CaState.ACTIVE) -> CertificateAuthority:
        key = self.token.private_key(key_id)
        subject, public = name(common_name), key.public_key()
        start = (clock.now() - 400 * DAY).replace(microsecond=0)
        ski = x509.SubjectKeyIdentifier.from_public_key(public)
        serial = int.from_bytes(secrets.token_bytes(15)) >> 1
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name(parent.common_name) if parent else subject)
            .public_key(public)
            .serial_number(serial)
            .not_valid_before(start)
            .not_valid_after(start + 5000 * DAY)
            .add_extension(self.aki(parent) if parent else x509.AuthorityKeyIdentifier(ski.digest, None, None), False)
            .add_extension(ski, False)
            .add_extension(usage(key_cert_sign=True, crl_sign=True), True)
            .add_extension(x509.BasicConstraints(True, 0 if parent else None), True)
        )
        certificate = builder.sign(self.token.private_key(parent.key_id) if parent else key, hashes.SHA256())
        subject_der = subject.public_bytes()
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        point = ski.digest, key_bits(certificate)
        row = CertificateAuthority.objects.create(
            slug=slug,
            common_name=common_name,
            state=state,
            parent=parent,
            definition_sha256="0" * 64,
            subject_der=subject_der,
            certificate_der=certificate.public_bytes(serialization.Encoding.DER),
            spki_sha256=hashlib.sha256(spki).hexdigest(),
            ski=point[0].hex(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            name_sha1=hashlib.sha1(subject_der).hexdigest(),
            name_sha256=hashlib.sha256(subject_der).hexdigest(),
            key_sha1=hashlib.sha1(point[1]).hexdigest(),
            key_sha256=hashlib.sha256(point[1]).hexdigest(),
            file_stem=stem(common_name),
            token_label=TOKEN,
            key_id=key_id,
            crl_period=180 * DAY if parent is None else dt.timedelta(hours=1),
            crl_validity=365 * DAY if parent is None else dt.timedelta(hours=48),
            created_at=clock.now(),
        )
        if parent:
            self.store(parent, certificate)
        return row

    def aki(self, ca) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier(bytes.fromhex(ca.ski), None, None)

    def signer(self, ca, key_id, *, valid: dt.timedelta = 30 * DAY) -> OcspSigner:
        public = self.token.private_key(key_id).public_key()
        start = (clock.now() - dt.timedelta(hours=1)).replace(microsecond=0)
        builder = self.builder(ca, f"{ca.common_name} OCSP", public, start, start + valid)
        builder = (
            builder.add_extension(usage(digital_signature=True), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
            .add_extension(x509.OCSPNoCheck(), False)
        )
        certificate = builder.sign(self.token.private_key(ca.key_id), hashes.SHA256())
        return OcspSigner.objects.create(
            ca=ca,
            certificate=self.store(ca, certificate),
            token_label=TOKEN,
            key_id=key_id,
            certificate_der=certificate.public_bytes(serialization.Encoding.DER),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )

    def builder(self, ca, common_name, public, start, end) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(common_name[:64]))
            .issuer_name(x509.load_der_x509_certificate(bytes(ca.certificate_der)).subject)
            .public_key(public)
            .serial_number((int(clock.now().timestamp() * 1000) << 72) | secrets.randbits(72))
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(self.aki(ca), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        )

    def issue(self, ca=None, *, not_after: dt.datetime | None = None, **changes) -> Certificate:
        """An issued certificate of a holder; `changes` go to its row."""
        ca = ca or self.first
        end = (not_after or clock.now() + 700 * DAY).replace(microsecond=0)
        builder = self.builder(ca, "Test", HOLDER_KEY.public_key(), end - 1400 * DAY, end)
        shard = None if ca.crl_shards == 1 else shard_of(builder._serial_number, ca.crl_shards)
        url = crl_url(ca, shard)
        builder = (
            builder.add_extension(usage(digital_signature=True), True)
            .add_extension(
                x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)]),
                False,
            )
            .add_extension(
                x509.AuthorityInformationAccess(
                    [
                        x509.AccessDescription(
                            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://127.0.0.1:8002/ocsp")
                        )
                    ]
                ),
                False,
            )
        )
        certificate = builder.sign(self.token.private_key(ca.key_id), hashes.SHA256())
        return self.store(ca, certificate, **changes)

    def hold(self, ca=None, **changes) -> Certificate:
        """A certificate on hold: planned so, then issued, with the CA's next status version."""
        row = self.issue(ca, status=CertificateStatus.RESERVED, issued_at=None, held=True, **changes)
        row.status, row.issued_at, row.status_version = CertificateStatus.ISSUED, clock.now(), draw_status_versions(row.ca_id)
        row.save(update_fields=["status", "issued_at", "status_version"])
        return row

    def store(self, ca, certificate: x509.Certificate, **changes) -> Certificate:
        row = Certificate.objects.create(
            ca=ca,
            serial=serial_text(certificate.serial_number),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            created_at=clock.now(),
            **({"status": CertificateStatus.ISSUED, "issued_at": clock.now()} | changes),
        )
        CertificateBlob.objects.create(certificate=row, der=certificate.public_bytes(serialization.Encoding.DER))
        return row

    def secret_keys(self) -> None:
        for key_id, purpose in ((self.keys.kek, KeyPurpose.KEK), (self.keys.derive, KeyPurpose.SECRET_DERIVE)):
            der = self.token.find(key_id).public_key_der if purpose == KeyPurpose.SECRET_DERIVE else b""
            HsmKey.objects.create(
                finding=KeyFinding.AS_RECORDED,
                key_id=key_id,
                purpose=purpose,
                token_label=TOKEN,
                label=purpose,
                algorithm="x",
                public_key_der=der,
                created_at=clock.now(),
            )

    def forget_secret_keys(self) -> None:
        HsmKey.objects.all().delete()


def usage(**on: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{each: on.get(each, False) for each in names.split()})


def key_bits(certificate: x509.Certificate) -> bytes:
    """The BIT STRING of the certificate's public key, which issuerKeyHash is made of."""
    from asn1crypto.x509 import Certificate as Parsed

    parsed = Parsed.load(certificate.public_bytes(serialization.Encoding.DER))
    return parsed["tbs_certificate"]["subject_public_key_info"]["public_key"].contents[1:]


def serial_text(serial: int) -> str:
    return serial.to_bytes((serial.bit_length() + 7) // 8).hex().upper()
