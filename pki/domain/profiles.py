"""Certificate profiles as data (spec A2, A6). A definition is immutable once used: a change is a new version with a new hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pki.domain.names import Attribute
from siths_portal.lib.canonical import canonical_json, sha256_hex

CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
SMARTCARD_LOGON = "1.3.6.1.4.1.311.20.2.2"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
CARD_NUMBER = "1.2.752.34.2.1"
USER_PRINCIPAL_NAME = "1.3.6.1.4.1.311.20.2.3"
ANY_POLICY = "2.5.29.32.0"

# Five years to the end of the last day.
FIVE_YEARS = 1828
HSA_ID = r"[A-Za-z]{2,6}\d{10}-[A-Za-z0-9]{1,18}"  # SE; the test catalogues' ids begin TST, TSTNMT and the like
PERSON_ID = r"\d{12}"

# Extensions by the names used below, in the order in which they stand in a certificate (spec A2).
EXTENSION_ORDER = (
    "authorityKeyIdentifier",
    "subjectKeyIdentifier",
    "keyUsage",
    "extendedKeyUsage",
    "certificatePolicies",
    "basicConstraints",
    "subjectAltName",
    "cRLDistributionPoints",
    "authorityInfoAccess",
    "cardNumber",
    "ocspNoCheck",
)


@dataclass(frozen=True)
class Profile:
    """What a certificate of this kind holds.

    `issuers` maps the slugs of the CAs that may issue it to suffixes of the policy OID under PKI_POLICY_ARC: one for all
    subjects under the key `any`, or one each for `personnummer` and `samordningsnummer` (read from serialNumber); without any,
    there is no policy. `key_usage_rsa` is added for RSA keys (RFC 8813 forbids it for EC). `keys` are algorithms that a
    subject's key may have. `max_days` is the hard limit of validity.
    """

    name: str
    version: int
    issuers: Mapping[str, Mapping[str, str]]
    subject: tuple[Attribute, ...]
    key_usage: tuple[str, ...]
    max_days: int
    keys: tuple[str, ...] = ("rsa", "ec-p256", "ec-p384")
    key_usage_rsa: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] = ()
    alternative_names: tuple[str, ...] = ()
    alternative_name_required: bool = False
    card_number: bool = False
    any_policy: bool = False
    basic_constraints: bool = False
    path_length: int | None = None
    status_addresses: bool = True
    no_check: bool = False
    signature_hash: str = "sha256"

    def definition(self) -> dict[str, Any]:
        """The profile as plain values, with the order of extensions, for storage and hash."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "subject"}
        plain["issuers"] = {slug: dict(suffixes) for slug, suffixes in self.issuers.items()}
        plain["subject"] = [{name: getattr(each, name) for name in each.__dataclass_fields__} for each in self.subject]
        plain["extensions"] = [name for name in EXTENSION_ORDER if self.has_extension(name)]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> Self:
        """The profile of a stored definition."""
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in definition.items()}
        values["subject"] = tuple(Attribute(**each) for each in definition["subject"])
        return cls(**{key: value for key, value in values.items() if key != "extensions"})

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON of `definition`, in hex."""
        return sha256_hex(canonical_json(self.definition()))

    def has_extension(self, name: str) -> bool:
        """Whether a certificate of this profile has, or for subjectAltName may have, the extension."""
        return {
            "authorityKeyIdentifier": True,
            "subjectKeyIdentifier": True,
            "keyUsage": True,
            "extendedKeyUsage": bool(self.extended_key_usage),
            "certificatePolicies": self.any_policy or any(self.issuers.values()),
            "basicConstraints": self.basic_constraints,
            "subjectAltName": bool(self.alternative_names),
            "cRLDistributionPoints": self.status_addresses,
            "authorityInfoAccess": self.status_addresses,
            "cardNumber": self.card_number,
            "ocspNoCheck": self.no_check,
        }[name]

    def policies(self, issuer: str, subject: Mapping[str, str], arc: str) -> list[str]:
        """The policy OIDs of a certificate from CA `issuer`. Raises KeyError if the CA may not issue the profile."""
        suffixes = self.issuers[issuer]
        if self.any_policy:
            return [ANY_POLICY]
        suffix = suffixes.get("any") or suffixes.get(person_number_kind(subject.get("serialNumber", "")))
        return [f"{arc}.{suffix}"] if suffix else []


def person_number_kind(person_id: str) -> str:
    """`samordningsnummer` if the day of a 12-digit number has 60 added, else `personnummer`."""
    return "samordningsnummer" if person_id[6:8].isdigit() and int(person_id[6:8]) > 60 else "personnummer"


def _names(*attributes: str, **changes: Any) -> tuple[Attribute, ...]:
    return tuple(
        Attribute(name, **({"max_length": 2, "pattern": "[A-Z]{2}"} if name == "countryName" else {}) | changes.get(name, {}))
        for name in attributes
    )


_CA_SUBJECT = _names("countryName", "organizationName", "commonName")
_HSA_SUBJECT = _names(
    "countryName", "organizationName", "commonName", "surname", "givenName", "serialNumber", "title",
    serialNumber={"pattern": HSA_ID}, title={"required": False},
)  # fmt: skip
_PERSON_SUBJECT = _names(
    "countryName", "commonName", "surname", "givenName", "serialNumber", serialNumber={"pattern": PERSON_ID, "max_length": 12}
)
_HSA_ISSUERS = {"person-hsaid-3": {"any": "1.3"}, "person-hsaid-2": {"any": "1.2"}}
_PERSON_ISSUERS = {
    "person-id-3": {"personnummer": "2.3.1", "samordningsnummer": "2.3.2"},
    "person-id-2": {"personnummer": "2.2.1", "samordningsnummer": "2.2.2"},
}
ISSUING_SLUGS = ("person-hsaid-3", "person-hsaid-2", "person-id-3", "person-id-2", "person-id-mobile", "function")

_ALL = (
    Profile(
        name="person-hsaid-auth",
        version=1,
        issuers=_HSA_ISSUERS,
        subject=_HSA_SUBJECT,
        key_usage=("digitalSignature",),
        extended_key_usage=(CLIENT_AUTH, SMARTCARD_LOGON, EMAIL_PROTECTION),
        alternative_names=("rfc822Name", "userPrincipalName"),
        card_number=True,
        max_days=FIVE_YEARS,
    ),
    Profile(
        name="person-hsaid-sign",
        version=1,
        issuers=_HSA_ISSUERS,
        subject=_HSA_SUBJECT,
        key_usage=("contentCommitment",),
        alternative_names=("rfc822Name",),
        card_number=True,
        max_days=FIVE_YEARS,
    ),
    Profile(
        name="person-id-auth",
        version=1,
        issuers=_PERSON_ISSUERS,
        subject=_PERSON_SUBJECT,
        key_usage=("digitalSignature",),
        extended_key_usage=(CLIENT_AUTH,),
        card_number=True,
        max_days=FIVE_YEARS,
    ),
    Profile(
        name="person-id-sign",
        version=1,
        issuers=_PERSON_ISSUERS,
        subject=_PERSON_SUBJECT,
        key_usage=("contentCommitment",),
        card_number=True,
        max_days=FIVE_YEARS,
    ),
    Profile(
        name="function",
        version=1,
        issuers={"function": {"any": "3.1"}},
        subject=_names("countryName", "organizationName", "commonName", "serialNumber", serialNumber={"required": False}),
        key_usage=("digitalSignature",),
        key_usage_rsa=("keyEncipherment",),
        extended_key_usage=(SERVER_AUTH, CLIENT_AUTH),
        alternative_names=("dNSName", "iPAddress"),
        alternative_name_required=True,
        max_days=398,
    ),
    Profile(
        name="ocsp-signer",
        version=1,
        issuers={slug: {} for slug in ISSUING_SLUGS},
        subject=_CA_SUBJECT,
        key_usage=("digitalSignature",),
        extended_key_usage=(OCSP_SIGNING,),
        keys=("ec-p256", "rsa"),
        max_days=30,
        status_addresses=False,
        no_check=True,
    ),
    Profile(
        name="root-ca",
        version=1,
        issuers={"root": {}},
        subject=_CA_SUBJECT,
        key_usage=("keyCertSign", "cRLSign"),
        basic_constraints=True,
        max_days=12_000,
        status_addresses=False,
    ),
    Profile(
        name="issuing-ca",
        version=1,
        issuers={"root": {}},
        subject=_CA_SUBJECT,
        key_usage=("keyCertSign", "cRLSign"),
        any_policy=True,
        basic_constraints=True,
        path_length=0,
        max_days=12_000,
        signature_hash="sha512",
    ),
)
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in _ALL}
