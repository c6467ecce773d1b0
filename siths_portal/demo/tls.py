"""TLS identities from the Function CA: the reverse proxy of the APIs, their clients, and a supplier that is pushed to.

Two of the suppliers are simulators. The third has no program: it is the supplier under test of `make sandbox`.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db import transaction

from authn import service as authn
from pki import service as pki
from pki.clients import grant_client
from siths_portal.demo.logotypes import PUSHED_SUPPLIER, SUPPLIER
from siths_portal.lib import clock
from siths_portal.lib.files.atomic import write_atomically
from siths_portal.lib.http import webhooks

FUNCTION_CA = "function"
PEOPLE_CAS = ("person-hsaid-3", "person-hsaid-2", "person-id-3", "person-id-2")
"""The CAs of the certificates on people's cards."""
SUPPLIER_REF, PUSHED_REF = SUPPLIER, PUSHED_SUPPLIER
SANDBOX_REF = "leverantor-under-prov"
SERVICE_REF = "funktionstjanst-1"
PORTAL_NAME = "siths-portal"
"""The common name of the portal's certificate as a client of suppliers."""

SANDBOX_PUSH = "push.json"
"""In the folder of the supplier under test: `url` and `keys`, as in the clients file, if it takes push."""

SERVICE_NAMES = (f"{SERVICE_REF}.example", f"*.{SERVICE_REF}.example")
ACTOR_REF = "system:demo"
VALIDITY = dt.timedelta(days=365)
RENEW_BEFORE = dt.timedelta(days=30)
SECONDS = 60


class TlsFault(RuntimeError):
    """An identity got no certificate."""


@dataclass(frozen=True)
class Identity:
    """A key and certificate of a profile that a process keeps in `folder` under `name`."""

    folder: Path
    name: str
    subject: Mapping[str, str]
    alternative: Mapping[str, str]
    profile: str = "function"

    @property
    def key_file(self) -> Path:
        """The private key, PKCS #8 PEM, readable only by its owner."""
        return self.folder / f"{self.name}.key"

    @property
    def certificate_file(self) -> Path:
        """The certificate and its issuer, PEM."""
        return self.folder / f"{self.name}.pem"

    def is_good(self, issuer: x509.Certificate) -> bool:
        """Returns whether key and certificate exist, match, are issued by `issuer` and do not expire soon."""
        try:
            certificate = x509.load_pem_x509_certificates(self.certificate_file.read_bytes())[0]
            key = serialization.load_pem_private_key(self.key_file.read_bytes(), None)
            certificate.verify_directly_issued_by(issuer)
        except (OSError, ValueError, TypeError, IndexError, InvalidSignature):
            return False
        return key.public_key() == certificate.public_key() and certificate.not_valid_after_utc > clock.now() + RENEW_BEFORE


@dataclass(frozen=True)
class Identities:
    """The identities of the TLS proxy, of the supplier that pulls, of the supplier under test, as a client and as a server, of a
    service that may order function certificates, of the portal as a client of suppliers, and of the supplier that is pushed to,
    as a client and as a server.
    """

    front: Identity
    supplier: Identity
    sandbox: Identity
    sandbox_server: Identity
    service: Identity
    portal: Identity
    pushed: Identity
    pushed_server: Identity

    @property
    def letters(self) -> dict[str, Identity]:
        """The identities that suppliers open PUK letters with, by the reference of the supplier."""
        suppliers = (self.supplier, self.sandbox, self.pushed)
        return {one.subject["commonName"]: replace(one, name="letter", alternative={}, profile="letter") for one in suppliers}

    @property
    def all(self) -> list[Identity]:
        """Every identity."""
        return [*vars(self).values(), *self.letters.values()]


def identities() -> Identities:
    """Returns the identities."""
    host = urlsplit(settings.API_BASE_URL).hostname or "localhost"
    front = Identity(
        settings.VAR_DIR / "tls",
        "server",
        {"countryName": "SE", "organizationName": settings.OPERATOR_NAME, "commonName": host},
        {"dNSName": host, "iPAddress": "127.0.0.1"},
    )
    simulators = settings.VAR_DIR / "simulators"
    pushed = _client(simulators / "push-supplier", PUSHED_REF, "Demo Kortfabrik AB")
    sandbox = sandbox_identity()
    return Identities(
        front,
        _client(simulators / "supplier", SUPPLIER_REF, "Demo Kort AB"),
        sandbox,
        _server(sandbox, "localhost"),
        _client(simulators / "service", SERVICE_REF, "Demo Driftpartner AB"),
        _client(settings.VAR_DIR / "push", PORTAL_NAME, settings.OPERATOR_NAME),
        pushed,
        _server(pushed, _push_host().partition(":")[0]),
    )


def sandbox_identity() -> Identity:
    """Returns the identity of the supplier under test."""
    return _client(settings.VAR_DIR / "sandbox", SANDBOX_REF, "Leverantör under prov AB")


def supplier_api() -> str:
    """Returns the address of the supplier API, without a slash at its end."""
    return f"{settings.API_BASE_URL}/api/supplier/v1"


def _server(client: Identity, host: str) -> Identity:
    return Identity(client.folder, "server", {**client.subject, "commonName": host}, {"dNSName": host})


def _push_host() -> str:
    """Returns `host:port` of the supplier that is pushed to: the first of SUPPLIER_PUSH_HOSTS."""
    return settings.SUPPLIER_PUSH_HOSTS[0] if settings.SUPPLIER_PUSH_HOSTS else f"localhost:{settings.PORT_BASE + 12}"


def _client(folder: Path, ref: str, organisation: str) -> Identity:
    return Identity(
        folder,
        "client",
        {"countryName": "SE", "organizationName": organisation, "commonName": ref},
        {"dNSName": f"{ref}.example"},
    )


def provide() -> int:
    """Certifies what is missing or soon out of time, writes the anchors of all sides, registers the clients and gives rights.

    Returns how many certificates were issued. Raises TlsFault if the pki worker does not issue them in time.
    """
    chain = [x509.load_der_x509_certificate(der) for der in pki.chain(FUNCTION_CA)]
    own = identities()
    missing = [one for one in own.all if not one.is_good(chain[0])]
    _certify(missing, chain)
    front = own.front
    bundle = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
    write_atomically(front.folder / "clients-ca.pem", bundle)
    write_atomically(front.folder / "people-ca.pem", people_authorities())
    entries = []
    write_atomically(own.portal.folder / "ca.pem", bundle)
    keys = _signing_keys(own.portal.folder, own.pushed.folder, own.sandbox.folder)
    write_atomically(own.sandbox.folder / "api", f"{supplier_api()}\n".encode())
    for one in (own.supplier, own.sandbox, own.service, own.pushed):
        ref = one.subject["commonName"]
        kind = "service" if ref == SERVICE_REF else "supplier"
        write_atomically(one.folder / "ca.pem", bundle)
        write_atomically(one.folder / "root.pem", chain[-1].public_bytes(Encoding.PEM))
        write_atomically(front.folder / f"{ref}.pem", one.certificate_file.read_bytes())
        name = one.subject["organizationName"]
        entry = {"client_ref": ref, "name": name, "kind": kind, "certificates": [{"file": f"{ref}.pem"}]}
        subject = {attribute: value for attribute, value in one.subject.items() if attribute != "commonName"}
        more: dict[str, object] = {"certificate_subject": subject} if kind == "service" else {}
        if letter := own.letters.get(ref):
            write_atomically(front.folder / f"{ref}-letter.pem", letter.certificate_file.read_bytes())
            more |= {"letter_certificate": f"{ref}-letter.pem"}
        if one is own.pushed and settings.SUPPLIER_PUSH_HOSTS:
            more |= {"push": {"url": f"https://{_push_host()}", "keys": [keys]}}
        if one is own.sandbox and (asked := one.folder / SANDBOX_PUSH).exists():
            more |= {"push": json.loads(asked.read_bytes())}
        entries.append(entry | more)
    file = front.folder / "clients.yaml"
    write_atomically(file, json.dumps({"clients": entries}, ensure_ascii=False, indent=1).encode() + b"\n")
    authn.sync_clients(file)
    rights = ("issue", "revoke", "read")
    grant_client(
        client_ref=SERVICE_REF, ca=FUNCTION_CA, profile="function", rights=rights, names=SERVICE_NAMES, actor_ref=ACTOR_REF
    )
    return len(missing)


def people_authorities() -> bytes:
    """Returns the CAs of people's cards and their root (PEM), which the front of the log-in with cards accepts."""
    accepted = [view.certificate for view in pki.authorities() if view.slug in PEOPLE_CAS or view.parent is None]
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in accepted)


def _signing_keys(portal: Path, supplier: Path, sandbox: Path) -> str:
    """Makes the missing keys that portal and supplier sign their messages with, and gives the suppliers the portal's public key.

    Returns the supplier's public key. The supplier under test makes a key of its own.
    """
    public = []
    for folder in (portal, supplier):
        file = folder / "signing.keys"
        if not file.exists():
            text = webhooks.private_key_text(Ed25519PrivateKey.generate())
            write_atomically(file, text.encode() + b"\n", mode=0o600)
        public.append(webhooks.public_key_text(webhooks.read_private_keys(file)[0].public_key()))
    for folder in (supplier, sandbox):
        write_atomically(folder / "portal.keys", public[0].encode() + b"\n")
    return public[1]


def _certify(missing: list[Identity], chain: list[x509.Certificate]) -> None:
    if not missing:
        return
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in missing]
    orders = [_order(one, key) for one, key in zip(missing, keys, strict=True)]
    with transaction.atomic(durable=True):
        ids = pki.plan_certificates(orders, actor_ref=ACTOR_REF, unit_ref="")
    settled = {view.id: view for view in pki.wait_until_settled(ids, seconds=SECONDS)}
    for one, key, certificate_id in zip(missing, keys, ids, strict=True):
        der = settled[certificate_id].der
        if der is None:
            raise TlsFault(f"{one.name}: the certificate is {settled[certificate_id].status}")
        private = key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        with_issuers = [x509.load_der_x509_certificate(der), *chain[:-1]]
        write_atomically(one.key_file, private, mode=0o600)
        write_atomically(one.certificate_file, b"".join(each.public_bytes(Encoding.PEM) for each in with_issuers))


def _order(one: Identity, key: ec.EllipticCurvePrivateKey) -> pki.CertificateOrder:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one.subject["commonName"])])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return pki.CertificateOrder(
        ca=FUNCTION_CA,
        profile=one.profile,
        subject=one.subject,
        subject_alternative=one.alternative,
        csr_der=request.public_bytes(Encoding.DER),
        subject_ref=f"function:{one.subject['commonName']}",
        carrier_ref="",
        card_number=None,
        not_after=clock.now() + VALIDITY,
    )
