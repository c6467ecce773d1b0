"""Log-in with a card: lists the cards in the reader, and verifies key, certificate chain and OCSP status."""

import contextlib
import datetime as dt
import re
import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from siths_portal.simulators.card import TRANSPORT, Card, CardError
from siths_portal.simulators.idp_people import LOA2, LOA3

HSA_PROFILE, PERSON_PROFILE, MOBILE_PROFILE = "person-hsaid-auth", "person-id-auth", "mobile-auth"
DEVICES, DEVICE_NAME = "devices", "name"
"""The folder of devices beside that of the cards, and the file with a device's name."""

_LEEWAY = dt.timedelta(minutes=5)
_LONGEST_CHAIN = 4
_LEVEL_2 = ".1.2"
"""The end of the policy of a person's HSA-id on level 2 (rules/pki 2.3)."""
_HSA_ID = re.compile(r"[A-Za-z]{2,6}\d{10}-[A-Za-z0-9]+")


class CardRefused(Exception):
    """The card cannot authenticate its holder; the message tells the holder why and what to do."""


@dataclass(frozen=True)
class SeenCard:
    """A card with certificates in the reader, or a device with a mobile eID. A blank card has a transport certificate only, which
    names nobody. The certificates of an activated reserve card hold no `personnummer`. `device` is the holder's name of the
    device, empty for a card.
    """

    serial: str
    given_name: str
    surname: str
    hsa_id: str
    personnummer: str
    ready: bool
    device: str = ""
    acr: str = LOA3

    @property
    def name(self) -> str:
        """The holder's full name, or what a blank card is."""
        return "Reservkort" if self.is_blank else f"{self.given_name} {self.surname}"

    @property
    def is_blank(self) -> bool:
        """Whether the card has a transport certificate and nobody's."""
        return not self.hsa_id and not self.device

    @property
    def ending(self) -> str:
        """The last digits of the serial, which distinguish a holder's cards."""
        return self.serial[-4:]


@dataclass
class Cards:
    """The reader: a folder of software cards, and beside it the devices with mobile eIDs. `trust` is a folder of CA certificates;
    self-signed ones are trust anchors.
    """

    folder: Path
    trust: Path
    _known: dict[str, tuple[int, dict[str, x509.Certificate]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seen(self) -> list[SeenCard]:
        """Returns the cards in the reader, sorted by holder. `ready` means that the holder has set the code."""
        found = []
        for path in [each for place in self._places() for each in sorted(place.iterdir())]:
            card = Card(path)
            if not path.name.isdigit() or not card.finished:
                continue
            certificates = self._certificates(card)
            if HSA_PROFILE in certificates and (PERSON_PROFILE in certificates or card.has_holders_code):
                subject, person = certificates[HSA_PROFILE].subject, certificates.get(PERSON_PROFILE)
                found.append(
                    SeenCard(
                        card.serial, _text(subject, NameOID.GIVEN_NAME), _text(subject, NameOID.SURNAME),
                        _text(subject, NameOID.SERIAL_NUMBER), _text(person.subject, NameOID.SERIAL_NUMBER) if person else "",
                        card.has_holders_code, acr=_level(certificates[HSA_PROFILE]),
                    )
                )  # fmt: skip
            elif TRANSPORT in certificates:
                found.append(_blank(card.serial))
            elif MOBILE_PROFILE in certificates:
                subject, device = certificates[MOBILE_PROFILE].subject, (path / DEVICE_NAME).read_text()
                names = (_text(subject, NameOID.GIVEN_NAME), _text(subject, NameOID.SURNAME))
                found.append(SeenCard(card.serial, *names, "", _text(subject, NameOID.SERIAL_NUMBER), ready=True, device=device))
        return sorted(found, key=lambda card: (card.surname.casefold(), card.given_name.casefold(), card.serial))

    def prove(self, serial: str, code: str) -> SeenCard:
        """Returns the card's holder after the authentication key has signed a new challenge. A reserve card whose certificates of
        its holder are not in force proves itself as a blank one.

        Raises CardError (the card's own refusals) or CardRefused.
        """
        seen = next((one for one in self.seen() if one.serial == serial), None)
        if seen is None:
            raise CardRefused("Kortet finns inte längre i läsaren. Sätt i det och försök igen.")
        card = Card(next(place / serial for place in self._places() if (place / serial).is_dir()))
        certificates = self._certificates(card)
        if seen.device:
            self._prove(card, certificates, (MOBILE_PROFILE,), code)
            return seen
        if seen.is_blank:
            self._prove(card, certificates, (TRANSPORT,), code)
            return seen
        number = seen.personnummer.isdigit() or PERSON_PROFILE not in certificates
        if not (seen.given_name and seen.surname and _HSA_ID.fullmatch(seen.hsa_id) and number):
            raise CardRefused("Kortet har inget certifikat för en person. Använd ditt eget kort.")
        try:
            self._prove(card, certificates, [each for each in (HSA_PROFILE, PERSON_PROFILE) if each in certificates], code)
        except CardRefused:
            if TRANSPORT not in certificates:
                raise
            self._prove(card, certificates, (TRANSPORT,), code)
            return _blank(seen.serial)
        return seen

    def _places(self) -> list[Path]:
        return [place for place in (self.folder, self.folder.parent / DEVICES) if place.is_dir()]

    def _prove(self, card: Card, certificates: dict[str, x509.Certificate], profiles: Sequence[str], code: str) -> None:
        """Has the key of the first profile sign a challenge, and checks the certificates. Raises CardError or CardRefused."""
        challenge = b"idp-simulator" + secrets.token_bytes(32)
        signature = card.sign(profiles[0], challenge, code=code)
        try:
            _verify(certificates[profiles[0]], signature, challenge, hashes.SHA256())
        except (ValueError, InvalidSignature):
            raise CardRefused("Kortets underskrift stämmer inte med certifikatet.") from None
        for profile in profiles:
            check(certificates[profile], authorities(self.trust))

    def _certificates(self, card: Card) -> dict[str, x509.Certificate]:
        """Returns the card's certificates. Reading starts a process, so they are cached until the card's token changes."""
        stamp = _newest((card.folder / "tokens").glob("*/*.object"))
        with self._lock:
            known = self._known.get(card.serial)
            if known is None or known[0] != stamp:
                try:
                    pems = card.certificates()
                except (CardError, RuntimeError):
                    return {}  # the next call tries again
                known = (stamp, {name: x509.load_pem_x509_certificate(pem.encode()) for name, pem in pems.items()})
                self._known[card.serial] = known
            return known[1]


def _blank(serial: str) -> SeenCard:
    return SeenCard(serial, "", "", "", "", ready=True)


def _level(certificate: x509.Certificate) -> str:
    """Returns the `acr` of a log-in with the certificate: level 2 if one of its policies says so, else level 3."""
    try:
        policies = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except x509.ExtensionNotFound:
        return LOA3
    return LOA2 if any(each.policy_identifier.dotted_string.endswith(_LEVEL_2) for each in policies) else LOA3


def _newest(paths: Iterable[Path]) -> int:
    """Returns the newest modification time. Ignores files that are deleted in the meantime, as old certificates of a card are."""
    newest = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            newest = max(newest, path.stat().st_mtime_ns)
    return newest


def _text(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    return " ".join(str(attribute.value) for attribute in name.get_attributes_for_oid(oid))


def authorities(folder: Path) -> list[x509.Certificate]:
    """Returns the CA certificates in the folder, PEM or DER. Skips other files."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        content = path.read_bytes()
        try:
            pem = content.lstrip().startswith(b"-----BEGIN")
            found.append((x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(content))
        except ValueError:
            continue
    return found


def check(certificate: x509.Certificate, known: Sequence[x509.Certificate]) -> None:
    """Raises CardRefused unless chain (RFC 5280 section 6), validity and OCSP status (RFC 6960, over HTTP) are good."""
    now = dt.datetime.now(dt.UTC)
    issuer = None
    step = certificate
    for _ in range(_LONGEST_CHAIN):
        if not step.not_valid_before_utc <= now <= step.not_valid_after_utc:
            raise CardRefused("Certifikatet på kortet gäller inte nu. Be din ID-administratör om ett nytt kort.")
        above = _issuer(step, known)
        if above is None:
            raise CardRefused("Kortets utfärdare är inte en som vi litar på.")
        issuer = issuer or above
        if above == step:
            break
        step = above
    else:
        raise CardRefused("Kortets utfärdare är inte en som vi litar på.")
    if issuer is None or issuer == certificate:
        raise CardRefused("Kortets utfärdare är inte en som vi litar på.")
    response = _response(certificate, issuer, now)
    status = response.certificate_status
    if response.revocation_reason is x509.ReasonFlags.certificate_hold:
        raise CardRefused("Kortet är inte aktiverat. Aktivera kortet hos din ID-administratör.")
    if status is ocsp.OCSPCertStatus.REVOKED:
        raise CardRefused("Kortet är spärrat. Be din ID-administratör om ett nytt kort.")
    if status is not ocsp.OCSPCertStatus.GOOD:
        raise CardRefused("Utfärdaren känner inte till certifikatet på kortet.")


def _issuer(certificate: x509.Certificate, known: Sequence[x509.Certificate]) -> x509.Certificate | None:
    for candidate in known:
        if candidate.subject != certificate.issuer or not _is_authority(candidate):
            continue
        try:
            certificate.verify_directly_issued_by(candidate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return candidate
    return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and usage.key_cert_sign


def _response(certificate: x509.Certificate, issuer: x509.Certificate, now: dt.datetime) -> ocsp.OCSPResponse:
    import requests  # takes a quarter of the provider's start time, and most log-ins do not need it

    away = CardRefused("Det gick inte att kontrollera om kortet är spärrat. Vänta en stund och försök igen.")
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256()).build()
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        url = next(one.access_location.value for one in access if one.access_method == AuthorityInformationAccessOID.OCSP)
        answer = requests.post(
            url, data=request.public_bytes(serialization.Encoding.DER), timeout=10, allow_redirects=False,
            headers={"Content-Type": "application/ocsp-request"},
        )  # fmt: skip
        answer.raise_for_status()
        response = ocsp.load_der_ocsp_response(answer.content)
    except (x509.ExtensionNotFound, StopIteration, requests.RequestException, ValueError):
        raise away from None
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL or response.serial_number != certificate.serial_number:
        raise away
    ends = response.next_update_utc or now
    if not response.this_update_utc - _LEEWAY <= now <= ends + _LEEWAY or not _is_signed(response, issuer, now):
        raise away
    return response


def _is_signed(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: dt.datetime) -> bool:
    """Returns whether the issuer or its delegated responder signed the response (RFC 6960 section 4.2.2.2)."""
    for signer in [issuer, *response.certificates]:
        try:
            if signer != issuer:
                signer.verify_directly_issued_by(issuer)
                usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
                if ExtendedKeyUsageOID.OCSP_SIGNING not in usage:
                    continue
                if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
                    continue
            algorithm = response.signature_hash_algorithm
            if algorithm is None:
                continue
            _verify(signer, response.signature, response.tbs_response_bytes, algorithm)
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
        return True
    return False


def _verify(signer: x509.Certificate, signature: bytes, data: bytes, algorithm: hashes.HashAlgorithm) -> None:
    """Raises InvalidSignature unless the RSA or EC key of `signer` made the signature, and ValueError for another key type."""
    key = signer.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, data, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, data, ec.ECDSA(algorithm))
    else:
        raise ValueError("neither an RSA nor an EC key")
