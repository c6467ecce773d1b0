"""Orders of certificates for synthetic people and functions."""

import datetime as dt
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.db import transaction

from pki import service
from siths_portal.lib import clock

HSA_SUBJECT = {
    "countryName": "SE",
    "organizationName": "Demoregionen",
    "commonName": "Åsa Östberg",
    "surname": "Östberg",
    "givenName": "Åsa",
    "serialNumber": "SE2321000016-1003",
    "title": "Läkare",
}
PERSON_SUBJECT = {
    "countryName": "SE",
    "commonName": "Åsa Östberg",
    "surname": "Östberg",
    "givenName": "Åsa",
    "serialNumber": "189001019802",
}
FUNCTION_SUBJECT = {
    "countryName": "SE",
    "organizationName": "Demo e-legitimationer AB",
    "commonName": "api.demo.example.com",
    "serialNumber": "SE2321000016-F001",
}
CARD = "9752269999000000017"
LEGAL_SUBJECT = {
    "countryName": "SE",
    "organizationName": "Demo e-legitimationer AB",
    "organizationIdentifier": "NTRSE-5560160680",
    "commonName": "Demo e-legitimationer AB",
}
LETTER_SUBJECT = {"countryName": "SE", "organizationName": "Demo Kort AB", "commonName": "kortleverantor-1"}
MAIL = {"rfc822Name": "asa@demo.example.com"}
BY_PROFILE = {
    "person-hsaid-auth": (
        "person-hsaid-3",
        HSA_SUBJECT,
        {"rfc822Name": "asa@demo.example.com", "userPrincipalName": "åsa@demo.example.com"},
    ),
    "person-hsaid-sign": ("person-hsaid-3", HSA_SUBJECT, {"rfc822Name": "asa@demo.example.com"}),
    "person-id-auth": ("person-id-3", PERSON_SUBJECT, {}),
    "person-id-sign": ("person-id-3", PERSON_SUBJECT, {}),
    "mobile-auth": ("person-id-mobile", PERSON_SUBJECT, {}),
    "mobile-sign": ("person-id-mobile", PERSON_SUBJECT, {}),
    "transport": ("person-hsaid-2", {"serialNumber": CARD}, {}),
    "seal": ("function", LEGAL_SUBJECT, {}),
    "time-stamp": ("function", LEGAL_SUBJECT | {"commonName": "Demo tidsstämpling 1"}, {}),
    "letter": ("function", LETTER_SUBJECT, {}),
    "function": (
        "function",
        FUNCTION_SUBJECT,
        {"dNSName": "api.demo.example.com,api2.demo.example.com", "iPAddress": "127.0.0.1"},
    ),
}
PERSON_PROFILES = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign")
ORDERABLE = tuple(BY_PROFILE)
ON_CARDS = (*PERSON_PROFILES, "transport")


def csr(key=None) -> bytes:
    """A request signed by `key`, or by a new P-256 key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def order(profile: str = "person-hsaid-auth", **changes) -> service.CertificateOrder:
    """An order that is in order, but for what `changes` changes."""
    ca, subject, alternative = BY_PROFILE.get(profile, BY_PROFILE["person-hsaid-auth"])
    values = {
        "ca": ca,
        "profile": profile,
        "subject": subject,
        "subject_alternative": alternative,
        "csr_der": changes.pop("csr_der", None) or csr(),
        "subject_ref": "person:1",
        "carrier_ref": "carrier:1" if profile in ON_CARDS else "",
        "card_number": None if profile in BY_PROFILE and profile not in ON_CARDS else CARD,
        "not_after": clock.now() + dt.timedelta(days=390 if profile == "function" else 700),
    }
    return service.CertificateOrder(**values | changes)


def card() -> list[service.CertificateOrder]:
    """The four certificates of an ordinary card."""
    return [order(profile) for profile in PERSON_PROFILES]


def plan(*orders: service.CertificateOrder) -> list[UUID]:
    with transaction.atomic():
        return service.plan_certificates(orders, actor_ref="client:test", unit_ref="organisation:1")
