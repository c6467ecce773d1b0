"""Services that call the PKI API in this process, and what they send."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from authn.models import ClientCertificate, ServiceClient
from pki.clients.permissions import RIGHTS, grant_client
from pki.domain.client_names import ANY_NAME
from pki.domain.names import OIDS
from pki.domain.proof_of_possession import PURPOSE
from pki.models import Certificate
from tests.tls import Identity, SmallCa

HEADER = "X-Client-Certificate"
BASE = "/api/pki/v1/"
SUBJECT = {"countryName": "SE", "organizationName": "Demoregionen", "commonName": "api.demo.example.com"}
_CA = SmallCa()


@dataclass
class Service:
    """A registered service. `kind` is the client's, by which other APIs let it in."""

    ref: str
    identity: Identity

    def __call__(self, method: str, path: str, *, key: str | None = None, body: Any = None, **headers: str) -> Any:
        """The answer; `body` is sent as JSON, bytes as they are."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | {HEADER: quote(self.identity.pem)}
        if key is not None:
            sent["Idempotency-Key"] = key
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        type_ = sent.pop("Content-Type", "application/json")
        address = path if path.startswith("/") else BASE + path
        return Client(raise_request_exception=False).generic(method, address, content, content_type=type_, headers=sent)

    def order(self, key: str | None = None, **changes: Any) -> Any:
        """Orders a function certificate."""
        return self("POST", "certificates", key=key or uuid4().hex, body=order(**changes))

    def revoke(self, row: Certificate, key: str | None = None, **changes: Any) -> Any:
        """Asks for the certificate's revocation."""
        body = {"issuer": row.ca.slug, "serial": row.serial, "reason": "superseded"} | changes
        return self("POST", "revocations", key=key or uuid4().hex, body=body)

    def read(self, row: Certificate, **headers: str) -> Any:
        """Reads the certificate."""
        return self("GET", f"certificates/{row.ca.slug}/{row.serial}", **headers)

    def search(self, **body: Any) -> Any:
        """Searches."""
        return self("POST", "certificates/search", body=body)


NAMES = (ANY_NAME,)
"""Services of tests may order function certificates for every name and subject, unless a test says otherwise."""


@dataclass
class Api:
    """The face; `pki` is the hierarchy that signs."""

    pki: Any
    services: dict[str, Service] = field(default_factory=dict)

    def service(self, ref: str, kind: str = "service", **granted: str) -> Service:
        """A registered client with its rights on profiles of CAs: `function="read"`, `person_id_auth="issue read"`."""
        identity = _CA.issue(ref)
        subject = {attribute: [ANY_NAME] for attribute in OIDS}
        client = ServiceClient.objects.create(client_ref=ref, kind=kind, name=ref, certificate_subject=subject)
        ClientCertificate.objects.create(client=client, thumbprint=identity.certificate.fingerprint(hashes.SHA256()).hex())
        for name, rights in granted.items():
            profile = name.replace("_", "-")
            ca = "function" if profile == "function" else profile.rpartition("-")[0] + "-3"
            if rights:
                grant_client(client_ref=ref, ca=ca, profile=profile, rights=rights.split(), names=NAMES, actor_ref="system:test")
        self.services[ref] = Service(ref, identity)
        return self.services[ref]


def new_key(kind: str = "ec-p256") -> Any:
    """A key pair; `rsa-2048`, `ec-p256` or `ec-p384`."""
    if kind == "rsa-2048":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1() if kind == "ec-p256" else ec.SECP384R1())


def csr(key: Any = None) -> str:
    """A request in PEM, signed by `key` or by a new one."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key or new_key(), hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def spki(key: Any) -> str:
    """The public key in PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def order(**changes: Any) -> dict[str, Any]:
    """The body of an order that is in order, but for what `changes` changes; None takes a member away."""
    body = {
        "issuer": "function",
        "profile": "function",
        "subject": SUBJECT,
        "subject_alternative": {"dNSName": ["api.demo.example.com", "api2.demo.example.com"], "iPAddress": ["127.0.0.1"]},
        "subject_ref": "function:1",
    }
    if "csr" not in changes and "public_key" not in changes:
        body["csr"] = csr()
    return {name: value for name, value in (body | changes).items() if value is not None}


def signed_order(key: Any, idempotency_key: str, **changes: Any) -> dict[str, Any]:
    """An order by public key, whose proof is made as the description says."""
    body = order(public_key=spki(key), **changes)
    signed = body | {"idempotency_key": idempotency_key, "purpose": PURPOSE}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(text, ec.ECDSA(hashes.SHA384() if key.key_size == 384 else hashes.SHA256()))
    return body | {"proof": base64.b64encode(signature).decode()}


def issued(pki: Any, ref: str = "function:1", **changes: Any) -> Certificate:
    """A function certificate that somebody else ordered, signed."""
    from tests.pki.orders import order as certificate_order
    from tests.pki.orders import plan

    (id_,) = plan(certificate_order("function", subject_ref=ref, **changes))
    pki.settle()
    return Certificate.objects.select_related("ca").get(pk=id_)


def code(answer: Any) -> str:
    """The code of a problem, which is as RFC 9457 wants it."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.json()["code"]


def names(answer: Any) -> list[str]:
    """The values that a problem names."""
    return [each["name"] for each in answer.json().get("invalid-parameters", [])]


ALL = " ".join(RIGHTS)
PEM = serialization.Encoding.PEM
