"""A software phone or tablet: a token with a protected store, its maker who attests the keys, and the app's part of Mobilt SITHS.

The token is that of `card`: the card key is the device's first key, which needs no code, and the keys of the mobile eID need the
code that the holder chooses. The maker has a root and a signer below it, in the folder `maker` beside the devices.
"""

import base64
import datetime as dt
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey

from siths_portal.simulators.card import ENVELOPE, MOBILE_PROFILES, Card, new_serial
from siths_portal.simulators.eid_app_client import canonical
from siths_portal.simulators.eid_app_errors import BadHandle, PortalAway, PortalRefused, StillPending

MAKER, ROOT, ROOT_KEY, SIGNER, NAME = "maker", "root.pem", "root.key", "signer.json", "name"
"""Names of folders and files: the maker beside the devices, its root and signer, and the holder's name of a device."""

ATTESTATION = "key-attestation+jwt"
_YEARS = dt.timedelta(days=3650)
_HANDLE = "mob."


@dataclass(frozen=True)
class Maker:
    """The maker of devices: a root that relying parties know, and the key that signs attestations."""

    folder: Path

    def prepare(self) -> None:
        """Makes what is missing: the root, unless its owner has put it there, and the signer below it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / SIGNER).exists():
            return
        root_name, name = _name("DEMO device maker root"), _name("DEMO device attestation")
        if not (self.folder / ROOT).exists():
            made = ec.generate_private_key(ec.SECP256R1())
            _put(self.folder / ROOT_KEY, _pem(made), mode=0o600)
            certificate = _certificate(root_name, root_name, made.public_key(), made, ca=True)
            _put(self.folder / ROOT, certificate.public_bytes(serialization.Encoding.PEM))
        root = x509.load_pem_x509_certificate((self.folder / ROOT).read_bytes())
        root_key = serialization.load_pem_private_key((self.folder / ROOT_KEY).read_bytes(), None)
        key = ec.generate_private_key(ec.SECP256R1())
        signer = _certificate(name, root.subject, key.public_key(), root_key, ca=False)
        chain = [base64.b64encode(each.public_bytes(serialization.Encoding.DER)).decode() for each in (signer, root)]
        _put(self.folder / SIGNER, json.dumps({"key": _pem(key).decode(), "x5c": chain}).encode(), mode=0o600)

    def attest(self, keys: Sequence[Any]) -> str:
        """Returns an attestation of public keys (OpenID4VCI 1.0 appendix D.1)."""
        signer = json.loads((self.folder / SIGNER).read_text())
        header = {"alg": "ES256", "typ": ATTESTATION, "x5c": signer["x5c"]}
        body = {"iat": int(time.time()), "attested_keys": [_jwk(key) for key in keys]}
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        registry.max_header_length = 16_384
        key = ECKey.import_key(signer["key"])
        return str(jws.serialize_compact(header, json.dumps(body).encode(), key, registry=registry))


@dataclass(frozen=True)
class Device:
    """A device, by the folder of its token."""

    card: Card

    @classmethod
    def make(cls, devices: Path, name: str) -> "Device":
        """Makes a device with its first key."""
        code = "00000000"
        card = Card.make(devices, new_serial(), puk="0000000000", transport_code=code, keys="ec-p256", profiles=())
        _put(card.folder / ENVELOPE, code.encode())
        _put(card.folder / NAME, name.encode())
        return cls(card)

    @property
    def name(self) -> str:
        """The holder's name of the device."""
        return (self.card.folder / NAME).read_text()


def devices(folder: Path) -> list[Device]:
    """Returns the devices in a folder, by name."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [Device(Card(path)) for path in paths if path.name.isdigit() and (path / NAME).exists() and Card(path).finished]
    return sorted(found, key=lambda device: (device.name.casefold(), device.card.serial))


@dataclass
class DeviceClient:
    """The app on one device. Keep one client for the life of a start code; `enrol` may be repeated."""

    site_url: str
    device: Device
    maker: Maker
    patience: float = 20.0
    timeout: tuple[float, float] = (3.0, 20.0)
    sleep: Callable[[float], None] = time.sleep
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self.site_url = self.site_url.rstrip("/")
        self._session.trust_env = False
        self._session.verify = os.environ.get("PORTAL_CA_FILE") or True

    def enrol(self, handle: str, code: str) -> None:
        """Takes the start code, makes keys with `code` (6-8 digits), has them certified and confirms.

        Raises BadHandle, PortalAway, PortalRefused, StillPending, and CardError for a code that the device does not take.
        """
        if not handle.startswith(_HANDLE):
            raise BadHandle
        card = self.device.card
        token = self._start(handle)
        if not card.has_holders_code:
            card.change_code(card.envelope_code, code)
        card.make_keys(MOBILE_PROFILES, code=code, keys="ec-p256")
        certified = self._certify(handle, token, code)
        card.store_certificates(certified["certificates"], code=code)
        self._post("code-set", token, {})
        statement = base64.b64decode(certified["statement"], validate=True)
        signature = card.sign(MOBILE_PROFILES[1], statement, code=code)
        self._post("complete", token, {"signature": base64.b64encode(signature).decode()})

    def _start(self, handle: str) -> str:
        pem = self.device.card.card_key()
        attestation = self.maker.attest([serialization.load_pem_public_key(pem.encode())])
        proven = {
            "attestation_sha256": hashlib.sha256(attestation.encode()).hexdigest(), "device": self.device.name,
            "handle": handle, "kind": "mobile", "origin": self.site_url,
        }  # fmt: skip
        body = {
            "device": self.device.name, "device_key": pem, "attestation": attestation, "origin": self.site_url,
            "signature": self._proof(proven),
        }  # fmt: skip
        return str(self._post("start", handle, body)["step_token"])

    def _certify(self, handle: str, token: str, code: str) -> dict[str, Any]:
        csrs = self.device.card.csrs(code=code, profiles=MOBILE_PROFILES)
        parsed = {profile: x509.load_pem_x509_csr(pem.encode()) for profile, pem in csrs.items()}
        sums = {profile: _sha256(csr.public_bytes(serialization.Encoding.DER)) for profile, csr in parsed.items()}
        body = {
            "csrs": csrs,
            "attestation": self.maker.attest([csr.public_key() for csr in parsed.values()]),
            "signature": self._proof({"csrs": sums, "handle_sha256": _sha256(handle.encode())}),
        }
        deadline = time.monotonic() + self.patience
        while "certificates" not in (answer := self._post("certificates", token, body)):
            if time.monotonic() >= deadline:
                raise StillPending
            self.sleep(1.0)
        return answer

    def _proof(self, content: Mapping[str, Any]) -> str:
        return base64.b64encode(self.device.card.prove(canonical(content))).decode()

    def _post(self, name: str, bearer: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = self._session.post(
                f"{self.site_url}/api/eidapp/v1/transaction/{name}",
                data=json.dumps(body).encode(),
                headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", "Accept": "application/json"},
                timeout=self.timeout,
                allow_redirects=False,
            )
            content = answer.json()
        except (requests.RequestException, ValueError):
            raise PortalAway from None
        if answer.status_code >= 500 or not isinstance(content, dict):
            raise PortalAway
        if answer.status_code >= 400:
            raise PortalRefused(answer.status_code, str(content.get("code", "")), str(content.get("detail", "")))
        return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _jwk(key: Any) -> dict[str, Any]:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return dict(ECKey.import_key(der).as_dict(private=False))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject: x509.Name, issuer: x509.Name, public: Any, signer: Any, *, ca: bool) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    usage = x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _YEARS)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(usage, critical=True)
    )
    return builder.sign(signer, hashes.SHA256())


def _put(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.chmod(mode)
    temporary.replace(path)
