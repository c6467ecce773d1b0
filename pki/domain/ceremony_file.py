"""The ceremony file: one reviewed YAML document is the whole input, so witnesses check one file (spec C4, F9)."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pki.domain.names import file_stem
from pki.domain.profiles import PROFILES
from siths_portal.lib.canonical import canonical_json, sha256_hex

KEYS = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384")
SIGNER_KEYS = ("ec-p256", "rsa-2048")
STATES = ("active", "status_only", "offline")
TOKENS = ("root", "issuing")
SERIALS = ("time_random", "random")
_DURATION = re.compile(r"(\d{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class CeremonyFileError(ValueError):
    """The file cannot be followed; the text is Swedish and names the place."""


@dataclass(frozen=True)
class Participant:
    """Somebody who takes part, with the role at the ceremony."""

    role: str
    name: str


@dataclass(frozen=True)
class AuthorityPlan:
    """A CA as the file wants it. `token` is `root` or `issuing`; `ocsp_signer` is its delegate's key type, or empty."""

    slug: str
    generation: int
    common_name: str
    organization: str
    country: str
    parent: str
    token: str
    key: str
    not_after: dt.datetime
    state: str
    crl_period: dt.timedelta
    crl_validity: dt.timedelta
    ocsp_signer: str
    serials: str

    @property
    def profile(self) -> str:
        """The profile of its certificate."""
        return "issuing-ca" if self.parent else "root-ca"

    @property
    def sha256(self) -> str:
        """Hash of everything that the file says of this CA, in hex."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values |= {name: values[name].total_seconds() for name in ("crl_period", "crl_validity")}
        return sha256_hex(canonical_json(values))

    @property
    def subject(self) -> dict[str, str]:
        """The CA's name."""
        return {"countryName": self.country, "organizationName": self.organization, "commonName": self.common_name}


@dataclass(frozen=True)
class CeremonyFile:
    """A whole ceremony; `sha256` is of the file's bytes. CAs stand after their parents. `secret_keys`: KEK and derive key."""

    title: str
    environment: str
    participants: tuple[Participant, ...]
    authorities: tuple[AuthorityPlan, ...]
    secret_keys: bool
    sha256: str


def parse(content: bytes) -> CeremonyFile:
    """The ceremony of a file's bytes. Raises CeremonyFileError for anything that is missing, unknown or out of bounds."""
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError:
        raise CeremonyFileError("filen är inte YAML") from None
    top = _Node("filen", document)
    organization, country = top.text("organization"), top.text("country")
    people = [node.closed("role", "name") for node in top.list("participants")]
    participants = tuple(Participant(node.text("role"), node.text("name")) for node in people)
    if len({each.name for each in participants}) < 2:
        raise CeremonyFileError("minst två deltagare krävs")
    authorities = tuple(_authority(node, organization, country) for node in top.list("authorities"))
    _check_tree(authorities)
    ceremony = CeremonyFile(
        title=top.text("ceremony"),
        environment=top.slug("environment"),
        participants=participants,
        authorities=authorities,
        secret_keys=top.boolean("secret_keys"),
        sha256=sha256_hex(content),
    )
    top.closed("ceremony", "environment", "organization", "country", "participants", "authorities", "secret_keys")
    return ceremony


def _authority(node: "_Node", organization: str, country: str) -> AuthorityPlan:
    crl = node.mapping("crl")
    plan = AuthorityPlan(
        slug=node.slug("slug"),
        generation=node.number("generation", 1),
        common_name=node.text("common_name"),
        organization=organization,
        country=country,
        parent=node.text("parent", ""),
        token=node.choice("token", TOKENS),
        key=node.choice("key", KEYS),
        not_after=node.moment("not_after"),
        state=node.choice("state", STATES),
        crl_period=crl.duration("period"),
        crl_validity=crl.duration("validity"),
        ocsp_signer=node.choice("ocsp_signer", ("", *SIGNER_KEYS), ""),
        serials=node.choice("serials", SERIALS, "time_random"),
    )
    node.closed(
        "slug", "generation", "common_name", "parent", "token", "key", "not_after", "state", "crl", "ocsp_signer", "serials"
    )
    crl.closed("period", "validity")
    if plan.crl_validity <= plan.crl_period:
        raise CeremonyFileError(f"{plan.slug}: spärrlistan ska gälla längre än till nästa")
    return plan


def _check_tree(authorities: tuple[AuthorityPlan, ...]) -> None:
    seen: dict[str, AuthorityPlan] = {}
    for each in authorities:
        if each.slug in seen or file_stem(each.common_name) in {file_stem(other.common_name) for other in seen.values()}:
            raise CeremonyFileError(f"{each.slug}: förekommer två gånger")
        if each.parent and (each.parent not in seen or seen[each.parent].parent):
            raise CeremonyFileError(f"{each.slug}: parent ska vara en rot som står före")
        if each.parent and each.not_after > seen[each.parent].not_after:
            raise CeremonyFileError(f"{each.slug}: gäller längre än sin rot")
        if not each.parent and (each.ocsp_signer or each.state == "active"):
            raise CeremonyFileError(f"{each.slug}: en rot är offline och svarar med sin egen nyckel")
        if (each.parent or each.slug) not in PROFILES[each.profile].issuers:
            raise CeremonyFileError(f"{each.slug}: profilen {each.profile} utfärdas inte av {each.parent or each.slug}")
        if each.ocsp_signer and each.slug not in PROFILES["ocsp-signer"].issuers:
            raise CeremonyFileError(f"{each.slug}: har ingen OCSP-signerare i profilen ocsp-signer")
        seen[each.slug] = each


class _Node:
    """A mapping of the document, read strictly."""

    def __init__(self, place: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise CeremonyFileError(f"{place}: ska vara en tabell")
        self._place = place
        self._value = value

    def _get(self, key: str, default: Any = None) -> Any:
        value = self._value.get(key, default)
        if value is None:
            raise CeremonyFileError(f"{self._place}: {key} saknas")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise CeremonyFileError(f"{self._place}: {key} ska vara text")
        return value

    def slug(self, key: str) -> str:
        value = self.text(key)
        if not _SLUG.fullmatch(value) or len(value) > 40:
            raise CeremonyFileError(f"{self._place}: {key} ska vara små bokstäver, siffror och bindestreck")
        return value

    def number(self, key: str, default: int) -> int:
        value = self._get(key, default)
        if not isinstance(value, int) or not 1 <= value <= 1000:
            raise CeremonyFileError(f"{self._place}: {key} ska vara ett heltal")
        return value

    def boolean(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise CeremonyFileError(f"{self._place}: {key} ska vara true eller false")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise CeremonyFileError(f"{self._place}: {key} ska vara något av {', '.join(filter(None, allowed))}")
        return value

    def moment(self, key: str) -> dt.datetime:
        value = self._get(key)
        if not isinstance(value, dt.datetime) or value.tzinfo is None:
            raise CeremonyFileError(f"{self._place}: {key} ska vara en tid med tidszon")
        return value.astimezone(dt.UTC)

    def duration(self, key: str) -> dt.timedelta:
        found = _DURATION.fullmatch(self.text(key))
        if not found or not int(found[1]):
            raise CeremonyFileError(f"{self._place}: {key} ska vara en tid som 60m, 48h eller 365d")
        return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})

    def mapping(self, key: str) -> "_Node":
        return _Node(f"{self._place}, {key}", self._get(key))

    def list(self, key: str) -> "list[_Node]":
        value = self._get(key)
        if not isinstance(value, list) or not value:
            raise CeremonyFileError(f"{self._place}: {key} ska vara en lista")
        return [_Node(f"{key} {number}", each) for number, each in enumerate(value, 1)]

    def closed(self, *known: str) -> "_Node":
        unknown = sorted(str(key) for key in set(self._value) - set(known))
        if unknown:
            raise CeremonyFileError(f"{self._place}: okänt {', '.join(unknown)}")
        return self
