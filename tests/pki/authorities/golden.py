"""One certificate of each profile for each type of issuer's and subject's key, made without a token, by the code that plans them.

Each hierarchy is whole: root, issuing CAs, what they issue. Keys are made once a session.
"""

import datetime as dt
import functools
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki.domain import names, serials, tbs
from pki.domain.profiles import PROFILES, Profile
from pki.domain.tbs import Content, Issuer
from pki.issuing import lint
from tests.pki import orders
from tests.pki.domain import reference_builder

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=1)
CA_END = dt.datetime(2049, 9, 15, 20, tzinfo=dt.UTC)
ARC = "1.3.6.1.4.1.32473.752"
STATUS = "http://status.demo.example.com"
ISSUER_KEYS = ("rsa-4096", "ec-p384")
SUBJECT_KEYS = ("rsa-2048", "ec-p256")


@functools.cache
def private_key(kind: str, number: int = 0):
    """A key of the kind; others by number."""
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    return ec.generate_private_key(ec.SECP256R1() if kind == "ec-p256" else ec.SECP384R1())


def sign(to_be_signed: bytes, key) -> bytes:
    """The certificate, signed as the token would."""
    algorithm = tbs.HASHES[tbs.signature_hash(to_be_signed)]
    if isinstance(key, rsa.RSAPrivateKey):
        return tbs.assemble(to_be_signed, key.sign(to_be_signed, padding.PKCS1v15(), algorithm))
    return tbs.assemble(to_be_signed, key.sign(to_be_signed, ec.ECDSA(algorithm)))


@dataclass(frozen=True)
class Golden:
    """A certificate with its chain above, the root last."""

    profile: str
    issuer_key: str
    subject_key: str
    der: bytes
    above: tuple[bytes, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    def write(self, folder: Path) -> tuple[Path, list[Path]]:
        """DER files of the certificate and of what is above it."""
        own = folder / "own.der"
        own.write_bytes(self.der)
        above = []
        for number, der in enumerate(self.above):
            path = folder / f"above-{number}.der"
            path.write_bytes(der)
            above.append(path)
        return own, above

    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def serial() -> int:
    return serials.time_random(int(NOW.timestamp() * 1000))


def make(profile: Profile, issuer: Issuer, issuer_key, content: Content) -> bytes:
    """DER of a certificate that our own check passes, and whose bytes are those that the library's builder makes."""
    to_be_signed = tbs.build(profile, issuer, content)
    assert to_be_signed == reference_builder.build(profile, issuer, issuer_key, content)
    assert lint.faults(to_be_signed, profile, issuer, ARC) == []
    return sign(to_be_signed, issuer_key)


def issuer_of(slug: str, der: bytes) -> Issuer:
    certificate = x509.load_der_x509_certificate(der)
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return Issuer(
        slug, certificate.subject, identifier, certificate.public_key(), certificate.not_valid_after_utc,
        f"{STATUS}/crl/{slug}.crl", f"{STATUS}/ocsp", f"{STATUS}/aia/{slug}.cer",
    )  # fmt: skip


def ca_content(profile: str, slug: str, public_key) -> Content:
    subject = {"countryName": "SE", "organizationName": "Demo AB", "commonName": f"DEMO SITHS e-id {slug} CA v1"}
    policies = tuple(PROFILES[profile].policies("root", subject, ARC))
    return Content(subject, {}, public_key, serial(), NOW, CA_END, policies)


@functools.cache
def root(key: str) -> bytes:
    own = private_key(key, 1)
    content = ca_content("root-ca", "Root", own.public_key())
    ski = x509.SubjectKeyIdentifier.from_public_key(own.public_key()).digest
    name = names.build(PROFILES["root-ca"].subject, content.subject)
    return make(PROFILES["root-ca"], Issuer("root", name, ski, own.public_key()), own, content)


@functools.cache
def issuing_ca(key: str, slug: str) -> bytes:
    own = private_key(key, 2)
    content = ca_content("issuing-ca", slug, own.public_key())
    return make(PROFILES["issuing-ca"], issuer_of("root", root(key)), private_key(key, 1), content)


def leaf(profile: str, issuer_key: str, subject_key: str, slug: str = "", **changes) -> Golden:
    """A certificate of the profile; `changes` are of its Content."""
    definition = PROFILES[profile]
    wanted = orders.order(profile) if profile in orders.ORDERABLE else None
    slug = slug or (wanted.ca if wanted else "person-id-3")
    ca = issuing_ca(issuer_key, slug)
    subject = wanted.subject if wanted else {"countryName": "SE", "organizationName": "Demo AB", "commonName": "CA OCSP"}
    values = {
        "subject": subject,
        "alternative": wanted.subject_alternative if wanted else {},
        "public_key": private_key(subject_key, 3).public_key(),
        "serial": serial(),
        "not_before": NOW,
        "not_after": NOW + dt.timedelta(days=min(definition.max_days, 700)),
        "policies": tuple(definition.policies(slug, changes.get("subject", subject), ARC, NOW)),
        "card_number": wanted.card_number if wanted else None,
    }
    der = make(definition, issuer_of(slug, ca), private_key(issuer_key, 2), Content(**values | changes))
    return Golden(profile, issuer_key, subject_key, der, (ca, root(issuer_key)))


def matrix() -> list[tuple[str, str, str]]:
    """Profile, issuer's key, subject's key. CAs have keys of their issuers' type."""
    ends = [name for name in PROFILES if not PROFILES[name].basic_constraints]
    cas = [name for name in PROFILES if PROFILES[name].basic_constraints]
    return [(name, ca, own) for name in ends for ca in ISSUER_KEYS for own in SUBJECT_KEYS if _takes(PROFILES[name], own)] + [
        (name, key, key) for name in cas for key in ISSUER_KEYS
    ]


def _takes(profile: Profile, key: str) -> bool:
    return key in profile.keys or key.partition("-")[0] in profile.keys


@functools.cache
def golden(profile: str, issuer_key: str, subject_key: str) -> Golden:
    """The certificate of one cell of the matrix."""
    if profile == "root-ca":
        return Golden(profile, issuer_key, subject_key, root(issuer_key), (root(issuer_key),))
    if profile == "issuing-ca":
        return Golden(profile, issuer_key, subject_key, issuing_ca(issuer_key, "person-id-3"), (root(issuer_key),))
    return leaf(profile, issuer_key, subject_key)
