"""A certificate profile (rules/pki 2.1): plain values with a hash. The profiles themselves are in `profiles`."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Self

from pki.domain.names import Attribute
from pki.domain.policies import PERSON_NUMBER, PERSONS, Policy, subject_kind, suffix_at
from siths_portal.lib.canonical import canonical_json, sha256_hex

CARD_NUMBER = "1.2.752.34.2.1"
ANY_POLICY = "2.5.29.32.0"
QC_STATEMENTS = "1.3.6.1.5.5.7.1.3"

# Extensions by the names used below, in their order in a certificate (rules/pki 2.1).
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
    "qcStatements",
)
_CURVE_HASHES = {"ec-p256": "sha256", "ec-p384": "sha384"}


@dataclass(frozen=True)
class Profile:
    """The contents of certificates of one kind.

    `issuers` are the slugs of the CAs that may issue it. Its policy is the row of `policy_table` for the CA, the kind of subject
    and the day. The first stored definitions of the older profiles have no rows: they map each CA to suffixes (`any`,
    `personnummer`, `samordningsnummer`). `key_usage_rsa` is added for RSA keys (RFC 8813 forbids it for EC). `keys` are the
    algorithms that a subject's key may have: `rsa` of any size, or `rsa-2048`, `ec-p256`, `ec-p384`. `max_days` is the hard limit
    of validity. `signature_hash` is for RSA issuers, and with `hash_by_curve` off for all; with it on, an EC issuer's hash is as
    long as its curve (FIPS 186-5). `subject_is_card`: serialNumber is the card number. `qc_statements` is the optional block of
    EN 319 412-5, see `qc_statements.build`.
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
    # A definition includes newer fields only if they have a value, so that older definitions keep their hash.
    subject_kind: str = ""
    policy_table: tuple[Policy, ...] = ()
    hash_by_curve: bool = False
    extended_key_usage_critical: bool = False
    subject_is_card: bool = False
    qc_statements: Mapping[str, Any] = field(default_factory=dict)

    def definition(self) -> dict[str, Any]:
        """Returns the profile as plain values, with the order of extensions, for storage and hash."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        plain["issuers"] = {slug: dict(suffixes) for slug, suffixes in self.issuers.items()}
        plain["subject"] = [_plain(each) for each in self.subject]
        plain["policy_table"] = [_plain(each) for each in self.policy_table]
        plain["qc_statements"] = dict(self.qc_statements)
        plain["extensions"] = [name for name in EXTENSION_ORDER if self.has_extension(name)]
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}
        return {key: value for key, value in plain.items() if value or key not in _LATER}

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> Self:
        """Returns the profile of a stored definition, of any age."""
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in definition.items()}
        values["subject"] = tuple(Attribute(**each) for each in definition["subject"])
        values["policy_table"] = tuple(Policy(**each) for each in definition.get("policy_table", ()))
        return cls(**{key: value for key, value in values.items() if key != "extensions"})

    @cached_property
    def sha256(self) -> str:
        """Returns SHA-256 of the canonical JSON of `definition`, in hex."""
        return sha256_hex(canonical_json(self.definition()))

    @property
    def orderable(self) -> bool:
        """False for certificates that only the PKI makes for itself: those of CAs and OCSP responders."""
        return not (self.basic_constraints or self.no_check)

    @property
    def is_for_persons(self) -> bool:
        """Whether a certificate is a person's eID.

        One person alone may never order such a certificate in another's name (DIGG K3.4): they are planned where several persons
        take part, and neither by an operator's command nor by a machine client.
        """
        return self.subject_kind in PERSONS

    @property
    def is_on_carrier(self) -> bool:
        """Whether a certificate is on a holder's card or mobile. The worker signs it only if there is an order (ADR 0310)."""
        return self.is_for_persons or self.subject_is_card

    @cached_property
    def extensions(self) -> tuple[str, ...]:
        """Returns the extensions that a certificate has, or for subjectAltName may have, in their order."""
        return tuple(name for name in EXTENSION_ORDER if self.has_extension(name))

    @cached_property
    def critical(self) -> frozenset[str]:
        """Returns the critical extensions (RFC 5280 section 4.2.1; RFC 3161 section 2.3 for a time stamp's key usage)."""
        return frozenset({"keyUsage", "basicConstraints"} | ({"extendedKeyUsage"} if self.extended_key_usage_critical else set()))

    def has_extension(self, name: str) -> bool:
        """Whether a certificate of this profile has, or for subjectAltName may have, the extension."""
        return {
            "authorityKeyIdentifier": True,
            "subjectKeyIdentifier": True,
            "keyUsage": True,
            "extendedKeyUsage": bool(self.extended_key_usage),
            "certificatePolicies": self.any_policy or bool(self.policy_table) or any(self.issuers.values()),
            "basicConstraints": self.basic_constraints,
            "subjectAltName": bool(self.alternative_names),
            "cRLDistributionPoints": self.status_addresses,
            "authorityInfoAccess": self.status_addresses,
            "cardNumber": self.card_number,
            "ocspNoCheck": self.no_check,
            "qcStatements": bool(self.qc_statements),
        }[name]

    def hash_for(self, issuer_key: str) -> str:
        """Returns the hash of the issuer's signature, by the kind of its key (see `keys.kind`)."""
        return _CURVE_HASHES.get(issuer_key, self.signature_hash) if self.hash_by_curve else self.signature_hash

    def policies(self, issuer: str, subject: Mapping[str, str], arc: str, at: dt.datetime | None = None) -> list[str]:
        """Returns the policy OIDs of a certificate that CA `issuer` issues at the moment; only dated rows need the moment.

        Raises KeyError if the CA may not issue the profile, and PolicyEnded if none of its policies is valid then.
        """
        suffixes_without_rows = self.issuers[issuer]
        if self.any_policy:
            return [ANY_POLICY]
        if self.policy_table:
            if at is None:
                raise ValueError("this profile's policies are dated")
            return [f"{arc}.{suffix_at(self.policy_table, issuer, subject_kind(self.subject_kind, subject), at)}"]
        suffix = suffixes_without_rows.get("any") or suffixes_without_rows.get(subject_kind(PERSON_NUMBER, subject))
        return [f"{arc}.{suffix}"] if suffix else []


def _plain(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


_LATER = frozenset(
    {"subject_kind", "policy_table", "hash_by_curve", "extended_key_usage_critical", "subject_is_card", "qc_statements"}
)
