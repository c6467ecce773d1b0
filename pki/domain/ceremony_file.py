"""The ceremony file: one reviewed YAML document is the whole input, so witnesses check one file (rules/pki 7.2).

It lists the participants, the possible approvers and how many must approve, the CAs to create, and acts on existing CAs: a new
CRL and new OCSP responses of an offline CA, the revocation of a CA's certificate, another state.
"""

import datetime as dt
import unicodedata
from dataclasses import dataclass, field

from pki.domain.ceremony_nodes import CeremonyFileError, Node, load
from pki.domain.crl_shards import SHARDS
from pki.domain.names import file_stem
from pki.domain.profiles import PROFILES
from siths_portal.lib.canonical import canonical_json, sha256_hex

__all__ = ["Act", "Approver", "AuthorityPlan", "CeremonyFile", "CeremonyFileError", "Participant", "parse", "person_ref"]

KEYS = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384")
SIGNER_KEYS = ("ec-p256", "rsa-2048")
STATES = ("planned", "active", "status_only", "offline")
TOKENS = ("root", "issuing")
SERIALS = ("time_random", "random")
ACTS = ("renew-status", "revoke", "state")
REASONS = ("unspecified", "cACompromise", "superseded", "cessationOfOperation")
"""RFC 5280 section 5.3.1: a CA's own certificate is revoked for cACompromise, other certificates for keyCompromise."""
TARGETS = ("active", "status_only", "retired", "compromised")
LEAST_APPROVERS = 2
"""The least number of approvers, besides the person who requests the ceremony (rules/pki 7.1)."""
DEMO = "demo"
"""The only environment that does not require the file to fix its approvers' certificates, and whose CAs may have demo names."""
LONGEST_FILE = 200_000


@dataclass(frozen=True)
class Participant:
    """A participant, with the role at the ceremony."""

    role: str
    name: str


@dataclass(frozen=True)
class Approver:
    """A possible approver. The certificate is in the file as PEM, or in `file`; then the ceremony file has its DER's hash."""

    name: str
    pem: str = field(default="", repr=False)
    file: str = ""
    certificate_sha256: str = ""

    @property
    def ref(self) -> str:
        """Returns the reference to the person, for records and for telling persons apart."""
        return person_ref(self.name)


@dataclass(frozen=True)
class AuthorityPlan:
    """A CA as described in the file. `token` is `root` or `issuing`; `ocsp_signer` is its delegate's key type, or empty."""

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
    crl_shards: int
    ocsp_signer: str
    serials: str

    @property
    def profile(self) -> str:
        """Returns the profile of its certificate."""
        return "issuing-ca" if self.parent else "root-ca"

    @property
    def sha256(self) -> str:
        """Returns the hash of everything in the file about this CA, in hex."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        # Included only if used, so that files from before there were shards keep their hashes.
        if self.crl_shards == 1:
            del values["crl_shards"]
        values |= {name: values[name].total_seconds() for name in ("crl_period", "crl_validity")}
        return sha256_hex(canonical_json(values))

    @property
    def subject(self) -> dict[str, str]:
        """Returns the CA's name."""
        return {"countryName": self.country, "organizationName": self.organization, "commonName": self.common_name}


@dataclass(frozen=True)
class Act:
    """An act on an existing CA: `kind` is one of ACTS, `value` the revocation's reason or the new state, or empty."""

    kind: str
    slug: str
    generation: int
    value: str = ""
    justification: str = ""


@dataclass(frozen=True)
class CeremonyFile:
    """A whole ceremony; `sha256` is the hash of the file's bytes, which are `text` in UTF-8.

    CAs come after their parents, unless those exist already. `secret_keys` are the service's own keys. `required` of `approvers`
    must approve; `requester`, a participant, is not an approver.
    """

    title: str
    environment: str
    participants: tuple[Participant, ...]
    requester: str
    approvers: tuple[Approver, ...]
    required: int
    authorities: tuple[AuthorityPlan, ...]
    secret_keys: bool
    acts: tuple[Act, ...]
    sha256: str
    text: str = field(repr=False)

    @property
    def requester_ref(self) -> str:
        """Returns the reference to the requester."""
        return person_ref(self.requester)


def person_ref(name: str) -> str:
    """Returns a normalised name of a person, so that two spellings of it are equal."""
    return f"participant:{' '.join(unicodedata.normalize('NFKC', name).casefold().split())}"


def parse(content: bytes) -> CeremonyFile:
    """Parses the file's bytes. Raises CeremonyFileError for anything that is missing, unknown or out of bounds."""
    if len(content) > LONGEST_FILE:
        raise CeremonyFileError(f"filen är för stor, den får ha högst {LONGEST_FILE // 1000} kB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise CeremonyFileError("filen är inte UTF-8") from None
    top = Node("filen", load(text))
    top.closed(
        "ceremony", "environment", "organization", "country", "participants", "approval", "authorities", "secret_keys", "acts"
    )  # fmt: skip
    participants = _participants(top)
    approval = top.mapping("approval").closed("requester", "required", "approvers")
    environment = top.slug("environment")
    authorities = _authorities(top)
    ceremony = CeremonyFile(
        title=top.text("ceremony", longest=150),
        environment=environment,
        participants=participants,
        requester=approval.text("requester", longest=100),
        approvers=tuple(_approver(node, environment) for node in approval.tables("approvers")),
        required=approval.number("required"),
        authorities=authorities,
        secret_keys=top.boolean("secret_keys", False),
        acts=tuple(_act(node) for node in top.optional_tables("acts")),
        sha256=sha256_hex(content),
        text=text,
    )
    _check_approval(ceremony)
    _check_tree(authorities)
    if not (ceremony.authorities or ceremony.secret_keys or ceremony.acts):
        raise CeremonyFileError("filen: inget att göra, varken authorities, secret_keys eller acts")
    if len({(act.kind, act.slug, act.generation) for act in ceremony.acts}) != len(ceremony.acts):
        raise CeremonyFileError("acts: samma slags åtgärd två gånger för en utfärdare")
    return ceremony


def _participants(top: Node) -> tuple[Participant, ...]:
    people = [node.closed("role", "name") for node in top.tables("participants")]
    found = tuple(Participant(node.text("role", longest=100), node.text("name", longest=100)) for node in people)
    if len({person_ref(each.name) for each in found}) < 2:
        raise CeremonyFileError("minst två deltagare krävs")
    return found


def _approver(node: Node, environment: str) -> Approver:
    node.closed("name", "certificate", "certificate_file", "certificate_sha256")
    if ("certificate" in node) == ("certificate_file" in node):
        raise node.fault("ange antingen certificate eller certificate_file")
    if "certificate_file" in node and "certificate_sha256" not in node and environment != DEMO:
        raise node.fault("certificate_sha256 saknas: certifikatet ska vara bestämt av filen")
    return Approver(
        node.text("name", longest=100),
        node.text("certificate", ""),
        node.text("certificate_file", ""),
        node.sha256("certificate_sha256", ""),
    )


def _check_approval(ceremony: CeremonyFile) -> None:
    refs = [each.ref for each in ceremony.approvers]
    if ceremony.requester_ref not in {person_ref(each.name) for each in ceremony.participants}:
        raise CeremonyFileError("approval: requester ska vara en av deltagarna")
    if ceremony.requester_ref in refs:
        raise CeremonyFileError("approval: den som begär ceremonin kan inte godkänna den")
    if len(set(refs)) != len(refs):
        raise CeremonyFileError("approval: samma person två gånger")
    if not LEAST_APPROVERS <= ceremony.required <= len(refs):
        raise CeremonyFileError(f"approval: required ska vara minst {LEAST_APPROVERS} och högst antalet approvers")


def _authorities(top: Node) -> tuple[AuthorityPlan, ...]:
    nodes = top.optional_tables("authorities")
    if not nodes:
        return ()
    organization, country = top.text("organization"), top.text("country")
    return tuple(_authority(node, organization, country) for node in nodes)


def _authority(node: Node, organization: str, country: str) -> AuthorityPlan:
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
        crl_shards=crl.number("shards", 1),
        ocsp_signer=node.choice("ocsp_signer", ("", *SIGNER_KEYS), ""),
        serials=node.choice("serials", SERIALS, "time_random"),
    )
    node.closed(
        "slug", "generation", "common_name", "parent", "token", "key", "not_after", "state", "crl", "ocsp_signer", "serials"
    )
    crl.closed("period", "validity", "shards")
    if plan.crl_shards not in SHARDS or (plan.crl_shards > 1 and not plan.parent):
        raise crl.fault(f"shards ska vara något av {', '.join(map(str, SHARDS))}, och 1 för en rot")
    if plan.crl_validity <= plan.crl_period:
        raise CeremonyFileError(f"{plan.slug}: spärrlistan ska gälla längre än till nästa")
    return plan


def _act(node: Node) -> Act:
    node.closed("act", "ca", "generation", "reason", "to", "justification")
    kind = node.choice("act", ACTS)
    place = node.slug("ca"), node.number("generation")
    wanted = {"renew-status": (), "revoke": ("reason", "justification"), "state": ("to", "justification")}[kind]
    for key in ("reason", "to", "justification"):
        if (key in node) != (key in wanted):
            raise node.fault(f"{key} {'saknas' if key in wanted else 'hör inte hit'}")
    if kind == "renew-status":
        return Act(kind, *place)
    value = node.choice("reason", REASONS) if kind == "revoke" else node.choice("to", TARGETS)
    return Act(kind, *place, value, node.text("justification", longest=1000))


def _check_tree(authorities: tuple[AuthorityPlan, ...]) -> None:
    seen: dict[str, AuthorityPlan] = {}
    for each in authorities:
        if each.slug in seen or file_stem(each.common_name) in {file_stem(other.common_name) for other in seen.values()}:
            raise CeremonyFileError(f"{each.slug}: förekommer två gånger")
        parent = seen.get(each.parent)
        if parent is not None and parent.parent:
            raise CeremonyFileError(f"{each.slug}: parent ska vara en rot")
        if parent is not None and each.not_after > parent.not_after:
            raise CeremonyFileError(f"{each.slug}: gäller längre än sin rot")
        if not each.parent and (each.ocsp_signer or each.state != "offline"):
            raise CeremonyFileError(f"{each.slug}: en rot är offline och svarar med sin egen nyckel")
        if (each.parent or each.slug) not in PROFILES[each.profile].issuers:
            raise CeremonyFileError(f"{each.slug}: profilen {each.profile} utfärdas inte av {each.parent or each.slug}")
        if each.ocsp_signer and each.slug not in PROFILES["ocsp-signer"].issuers:
            raise CeremonyFileError(f"{each.slug}: har ingen OCSP-signerare i profilen ocsp-signer")
        seen[each.slug] = each
