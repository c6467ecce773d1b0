"""The certificate profiles (rules/pki 2.1). A definition is immutable once used: a change is a new version with a new hash."""

from collections.abc import Mapping
from typing import Any

from pki.domain import keys, policies
from pki.domain.names import Attribute
from pki.domain.profile import ANY_POLICY, CARD_NUMBER, EXTENSION_ORDER, QC_STATEMENTS, Profile

__all__ = ["ANY_POLICY", "CARD_NUMBER", "EXTENSION_ORDER", "ISSUING_SLUGS", "PROFILES", "QC_STATEMENTS", "Profile", "keys_of"]

CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
SMARTCARD_LOGON = "1.3.6.1.4.1.311.20.2.2"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"

# Years to the end of the last day, leap days counted.
TWO_YEARS, FIVE_YEARS = 732, 1828
HSA_ID = r"[A-Za-z]{2,6}\d{10}-[A-Za-z0-9]{1,18}"  # SE; ids of the test HSA directories begin with TST, TSTNMT and the like
PERSON_ID = r"\d{12}"
CARD_DIGITS = r"\d{19}"
# EN 319 412-1 section 5.1.4: the type of register, its country, and the number in it.
ORGANISATION_ID = r"(?:NTR|VAT|LEI)[A-Z]{2}-[0-9A-Za-z]{1,40}"


def _names(*attributes: str, **changes: Any) -> tuple[Attribute, ...]:
    fixed: dict[str, dict[str, Any]] = {
        "countryName": {"max_length": 2, "pattern": "[A-Z]{2}"},
        "localityName": {"max_length": 128},
        "organizationIdentifier": {"pattern": ORGANISATION_ID},
    }
    return tuple(Attribute(name, **fixed.get(name, {}) | changes.get(name, {})) for name in attributes)


def _issuers(*slugs: str) -> dict[str, dict[str, str]]:
    return {slug: {} for slug in slugs}


_CA_SUBJECT = _names("countryName", "organizationName", "commonName")
_HSA_SUBJECT = _names(
    "countryName", "organizationName", "commonName", "surname", "givenName", "serialNumber", "title",
    serialNumber={"pattern": HSA_ID}, title={"required": False},
)  # fmt: skip
_PERSON_SUBJECT = _names(
    "countryName", "commonName", "surname", "givenName", "serialNumber", serialNumber={"pattern": PERSON_ID, "max_length": 12}
)
_FUNCTION_SUBJECT = _names(
    "countryName", "localityName", "organizationName", "organizationIdentifier", "commonName", "serialNumber",
    localityName={"required": False}, organizationIdentifier={"required": False}, serialNumber={"required": False},
)  # fmt: skip
# EN 319 412-3 section 4.2.1: a legal person's name includes the organisation's number in its register.
_LEGAL_SUBJECT = _names(
    "countryName", "organizationName", "organizationIdentifier", "commonName", "serialNumber", serialNumber={"required": False}
)
_NUMBERS = (policies.PERSONNUMMER, policies.SAMORDNINGSNUMMER)
_HSA_CAS, _PERSON_CAS = ("person-hsaid-3", "person-hsaid-2"), ("person-id-3", "person-id-2")
_CARD_KEYS = ("rsa-2048", "ec-p256")
ISSUING_SLUGS = (*_HSA_CAS, *_PERSON_CAS, "person-id-mobile", "function")

_HSA: dict[str, Any] = {
    "issuers": _issuers(*_HSA_CAS),
    "subject": _HSA_SUBJECT,
    "keys": _CARD_KEYS,
    "card_number": True,
    "max_days": FIVE_YEARS,
    "subject_kind": policies.HSA_ID,
    "policy_table": policies.rows(policies.HSA_ID, issuers=_HSA_CAS),
    "hash_by_curve": True,
}
_PERSON: dict[str, Any] = {
    "issuers": _issuers(*_PERSON_CAS),
    "subject": _PERSON_SUBJECT,
    "keys": _CARD_KEYS,
    "card_number": True,
    "max_days": FIVE_YEARS,
    "subject_kind": policies.PERSON_NUMBER,
    "policy_table": policies.rows(*_NUMBERS, issuers=_PERSON_CAS),
    "hash_by_curve": True,
}
_MOBILE: dict[str, Any] = {
    "issuers": _issuers("person-id-mobile"),
    "subject": _PERSON_SUBJECT,
    "keys": _CARD_KEYS,
    "max_days": TWO_YEARS,
    "subject_kind": policies.PERSON_NUMBER,
    "policy_table": policies.rows(*_NUMBERS, issuers=("person-id-mobile",)),
    "hash_by_curve": True,
}


def _of_function_ca(kind: str) -> dict[str, Any]:
    return {
        "issuers": _issuers("function"),
        "subject_kind": kind,
        "policy_table": policies.rows(kind, issuers=("function",)),
        "hash_by_curve": True,
    }


_CA: dict[str, Any] = {
    "issuers": _issuers("root"),
    "subject": _CA_SUBJECT,
    "key_usage": ("keyCertSign", "cRLSign"),
    "basic_constraints": True,
    "max_days": 12_000,
    "hash_by_curve": True,
}

_ALL = (
    Profile(
        name="person-hsaid-auth",
        version=2,
        key_usage=("digitalSignature",),
        extended_key_usage=(CLIENT_AUTH, SMARTCARD_LOGON, EMAIL_PROTECTION),
        alternative_names=("rfc822Name", "smtpUtf8Mailbox", "userPrincipalName"),
        **_HSA,
    ),
    Profile(
        name="person-hsaid-sign",
        version=2,
        key_usage=("contentCommitment",),
        alternative_names=("rfc822Name", "smtpUtf8Mailbox"),
        **_HSA,
    ),
    Profile(
        name="person-id-auth",
        version=2,
        key_usage=("digitalSignature",),
        extended_key_usage=(CLIENT_AUTH,),
        **_PERSON,
    ),
    Profile(name="person-id-sign", version=2, key_usage=("contentCommitment",), **_PERSON),
    Profile(
        name="mobile-auth",
        version=1,
        key_usage=("digitalSignature",),
        extended_key_usage=(CLIENT_AUTH,),
        **_MOBILE,
    ),
    Profile(name="mobile-sign", version=1, key_usage=("contentCommitment",), **_MOBILE),
    # For a blank reserve card: it identifies the card and no person, and no service accepts its policy for a person's login.
    Profile(
        name="transport",
        version=1,
        issuers=_issuers("person-hsaid-2"),
        subject=_names("serialNumber", serialNumber={"pattern": CARD_DIGITS, "max_length": 19}),
        subject_is_card=True,
        key_usage=("digitalSignature",),
        extended_key_usage=(CLIENT_AUTH,),
        keys=_CARD_KEYS,
        card_number=True,
        max_days=FIVE_YEARS,
        subject_kind=policies.CARD,
        policy_table=policies.rows(policies.CARD, issuers=("person-hsaid-2",)),
        hash_by_curve=True,
    ),
    Profile(
        name="function",
        version=2,
        subject=_FUNCTION_SUBJECT,
        key_usage=("digitalSignature",),
        key_usage_rsa=("keyEncipherment",),
        extended_key_usage=(SERVER_AUTH, CLIENT_AUTH),
        alternative_names=("dNSName", "iPAddress"),
        alternative_name_required=True,
        max_days=398,
        **_of_function_ca(policies.FUNCTION),
    ),
    # EN 319 412-3 section 4.3.1 with EN 319 412-2 section 4.3.2: type A, for seals only.
    Profile(
        name="seal",
        version=1,
        subject=_LEGAL_SUBJECT,
        key_usage=("contentCommitment",),
        max_days=TWO_YEARS,
        **_of_function_ca(policies.SEAL),
    ),
    # RFC 3161 section 2.3: timeStamping is the only extended key usage, and critical.
    Profile(
        name="time-stamp",
        version=1,
        subject=_LEGAL_SUBJECT,
        key_usage=("digitalSignature",),
        extended_key_usage=(TIME_STAMPING,),
        extended_key_usage_critical=True,
        max_days=FIVE_YEARS,
        **_of_function_ca(policies.TIME_STAMP),
    ),
    # For the key with which a card supplier decrypts PUK letters. The key is for JWE key agreement only. The extended key usage
    # excludes TLS: OpenSSL accepts a certificate without one for TLS.
    Profile(
        name="letter",
        version=1,
        subject=_CA_SUBJECT,
        key_usage=("keyAgreement",),
        extended_key_usage=(EMAIL_PROTECTION,),
        keys=("ec-p256",),
        max_days=TWO_YEARS,
        **_of_function_ca(policies.LETTER_RECIPIENT),
    ),
    Profile(
        name="ocsp-signer",
        version=2,
        issuers=_issuers(*ISSUING_SLUGS),
        subject=_CA_SUBJECT,
        key_usage=("digitalSignature",),
        extended_key_usage=(OCSP_SIGNING,),
        keys=("ec-p256", "rsa"),
        max_days=30,
        status_addresses=False,
        no_check=True,
        hash_by_curve=True,
    ),
    Profile(name="root-ca", version=2, status_addresses=False, **_CA),
    Profile(name="issuing-ca", version=2, any_policy=True, path_length=0, signature_hash="sha512", **_CA),
)
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in _ALL}


def keys_of(profile: str) -> str:
    """Describes in English the keys that the profile takes: `RSA-2048 or P-256`. Raises KeyError for an unknown profile."""
    return keys.description(PROFILES[profile].keys)
