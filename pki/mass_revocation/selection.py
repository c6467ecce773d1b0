"""The selection of a mass revocation: criteria, their check, and the trial count (rules/pki 4.4)."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from django.db import connection
from django.db.models import Count, Q, QuerySet

from pki.authorities import queries as authorities
from pki.domain import serials
from pki.models import Certificate, CertificateAuthority, CertificateStatus, OcspSigner, ProfileVersion
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Invalid

LONGEST_LIST = 100_000
"""The limit of serials or key hashes in one selection."""

EXAMPLES = 10
"""The limit of a list's unmatched values that are shown, and of places in an error."""

_FORMS = {"serials": "Skriv serienumren hexadecimalt.", "key_hashes": "Skriv varje SHA-256 med 64 hexadecimala tecken."}

# Two index scans from value to value, since entries without a profile come last in the index.
_CLIENTS = """
WITH RECURSIVE profiled AS (
    (SELECT profile_version_id AS profile, client_ref AS client FROM pki_certificate WHERE profile_version_id IS NOT NULL
     ORDER BY profile_version_id, client_ref LIMIT 1)
    UNION ALL
    SELECT next.* FROM profiled, LATERAL (
        SELECT profile_version_id, client_ref FROM pki_certificate
        WHERE (profile_version_id, client_ref) > (profiled.profile, profiled.client)
        ORDER BY profile_version_id, client_ref LIMIT 1
    ) AS next
), bare AS (
    (SELECT client_ref AS client FROM pki_certificate WHERE profile_version_id IS NULL ORDER BY client_ref LIMIT 1)
    UNION ALL
    SELECT next.* FROM bare, LATERAL (
        SELECT client_ref FROM pki_certificate WHERE profile_version_id IS NULL AND client_ref > bare.client
        ORDER BY client_ref LIMIT 1
    ) AS next
)
SELECT client FROM profiled UNION SELECT client FROM bare
"""
_MEMBERS_SHA256 = "encode(sha256(coalesce(string_agg(uuid_send({0}), ''::bytea ORDER BY {0}), ''::bytea)), 'hex')"


@dataclass(frozen=True)
class MassSelection:
    """Criteria joined by "and"; an empty one does not restrict. At least one must be given.

    `cas` are `slug:generation`. `issued_from` is included, `issued_until` is not; a certificate that is still reserved counts
    from when it was planned. `key_hashes` are SHA-256 of SubjectPublicKeyInfo in hex, `serials` hex, of the named CAs or of all.
    Failed certificates were never signed and are never selected; expired ones only with `include_expired`. Certificates of CAs
    and of OCSP responders are selected only if profiles, keys or serials name them.
    """

    cas: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    issued_from: dt.datetime | None = None
    issued_until: dt.datetime | None = None
    key_hashes: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    client_ref: str = ""
    unit_ref: str = ""
    include_expired: bool = False

    def plain(self) -> dict[str, Any]:
        """Returns the criteria that restrict, as JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: utc(value) if isinstance(value, dt.datetime) else list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Returns the selection from the values of `plain`."""
        moments = {"issued_from", "issued_until"}
        plain: dict[str, Any] = {
            name: dt.datetime.fromisoformat(value) if name in moments else tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**plain)

    @property
    def sha256(self) -> str:
        """Returns the hash of the criteria's canonical JSON."""
        return sha256_hex(canonical_json(self.plain()))


@dataclass(frozen=True)
class MassRevocationGroup:
    """Certificates of one CA generation and profile, by status; `profile` is empty if only the serial is known."""

    ca: str
    generation: int
    profile: str
    reserved: int
    issued: int
    revoked: int

    @property
    def total(self) -> int:
        """Returns the number of all of them."""
        return self.reserved + self.issued + self.revoked


@dataclass(frozen=True)
class MassRevocationDryRun:
    """The exact certificates that a mass revocation would revoke at the time of the count.

    `revocable` are not revoked yet. The request must repeat `members_sha256` and `as_of`: certificates made after that time are
    not included. `unmatched_*` count the values of the lists without a certificate, with the first of them.
    """

    selection: MassSelection
    as_of: dt.datetime
    total: int
    revocable: int
    groups: tuple[MassRevocationGroup, ...]
    members_sha256: str
    unmatched_serials: int = 0
    unmatched_keys: int = 0
    unmatched_examples: tuple[str, ...] = field(default=())


def dry_run(selection: MassSelection, *, as_of: dt.datetime | None = None) -> MassRevocationDryRun:
    """Counts without changes. `as_of` is now unless given. Raises Invalid, by field."""
    wanted = normal(selection)
    moment = as_of or clock.now()
    rows = found(wanted, moment)
    groups = grouped(rows)
    serials_left = _unmatched(wanted.serials, rows, "serial")
    keys_left = _unmatched(wanted.key_hashes, rows, "spki_sha256")
    return MassRevocationDryRun(
        selection=wanted,
        as_of=moment,
        total=sum(group.total for group in groups),
        revocable=sum(group.reserved + group.issued for group in groups),
        groups=groups,
        members_sha256=_members_sha256(rows),
        unmatched_serials=len(serials_left),
        unmatched_keys=len(keys_left),
        unmatched_examples=tuple([*serials_left, *keys_left][:EXAMPLES]),
    )


def normal(selection: MassSelection) -> MassSelection:
    """Returns the selection in normal form: lists sorted, without duplicates. Raises Invalid, by field."""
    faults: dict[str, list[str]] = {}
    cas = tuple(sorted(set(selection.cas)))
    if unknown := set(cas) - set(_generations()):
        faults["cas"] = [f"Utfärdaren {name} finns inte." for name in sorted(unknown)[:EXAMPLES]]
    profiles = tuple(sorted(set(selection.profiles)))
    known = set(ProfileVersion.objects.filter(name__in=profiles).values_list("name", flat=True))
    if missing := set(profiles) - known:
        faults["profiles"] = [f"Profilen {name} har inga certifikat." for name in sorted(missing)[:EXAMPLES]]
    if selection.issued_from and selection.issued_until and selection.issued_from >= selection.issued_until:
        faults["issued_until"] = ["Sluttiden ska vara senare än starttiden."]
    wanted = MassSelection(
        cas=cas,
        profiles=profiles,
        issued_from=selection.issued_from,
        issued_until=selection.issued_until,
        key_hashes=_list(selection.key_hashes, _key_hash, "key_hashes", faults),
        serials=_list(selection.serials, _serial, "serials", faults),
        client_ref=selection.client_ref.strip(),
        unit_ref=selection.unit_ref.strip(),
        include_expired=selection.include_expired,
    )
    if faults:
        raise Invalid("mass-selection", "Urvalet går inte att använda. Rätta det som är fel.", fields=faults)
    if not set(wanted.plain()) - {"include_expired"}:
        reason = "Välj minst ett villkor. Utan villkor skulle allt spärras."
        raise Invalid("mass-selection-empty", reason, fields={"cas": [reason]})
    return wanted


def found(selection: MassSelection, as_of: dt.datetime) -> QuerySet[Certificate]:
    """Returns the certificates of a selection in normal form, in no order."""
    rows = Certificate.objects.exclude(status=CertificateStatus.FAILED).filter(created_at__lte=as_of)
    generations = _generations()
    # With serials and no CA it names every CA, since the index of serials begins with the CA.
    if selection.cas or selection.serials:
        rows = rows.filter(ca__in=[id_ for name, id_ in generations.items() if not selection.cas or name in selection.cas])
    if selection.serials:
        rows = rows.filter(serial__in=selection.serials)
    if selection.key_hashes:
        rows = rows.filter(spki_sha256__in=selection.key_hashes)
    rows = rows.filter(_issued_within(selection), _of_origin(selection))
    if not selection.include_expired:
        rows = rows.filter(not_after__gt=as_of)
    if not (selection.profiles or selection.serials or selection.key_hashes):
        rows = rows.exclude(_own())
    return rows


def _issued_within(selection: MassSelection) -> Q:
    """Returns the condition on the time of issuance, or of planning for rows without one, as ranges that use the indexes."""
    within = {"gte": selection.issued_from, "lt": selection.issued_until}
    given = {name: moment for name, moment in within.items() if moment is not None}
    if not given:
        return Q()
    issued = Q(**{f"issued_at__{name}": moment for name, moment in given.items()})
    return issued | Q(issued_at=None, **{f"created_at__{name}": moment for name, moment in given.items()})


def _of_origin(selection: MassSelection) -> Q:
    """Returns the condition on profile, client and unit for `pki_cert_origin`: columns before a given one list all values."""
    if not (selection.profiles or selection.client_ref or selection.unit_ref):
        return Q()
    rest = Q()
    if selection.unit_ref:
        rest = Q(client_ref__in=[selection.client_ref] if selection.client_ref else _clients(), unit_ref=selection.unit_ref)
    elif selection.client_ref:
        rest = Q(client_ref=selection.client_ref)
    if selection.profiles:
        return Q(profile_version__in=_profile_versions(Q(name__in=selection.profiles))) & rest
    return Q(profile_version__in=_profile_versions(Q())) & rest | Q(profile_version=None) & rest


def _clients() -> list[str]:
    """Returns every client that has certificates, by skipping in the index from each value to the next."""
    with connection.cursor() as cursor:
        cursor.execute(_CLIENTS)
        return [row[0] for row in cursor.fetchall()]


def grouped(rows: QuerySet[Certificate]) -> tuple[MassRevocationGroup, ...]:
    """Returns the number of certificates by CA generation, profile and status."""
    counted = rows.order_by().values_list("ca__slug", "ca__generation", "profile_version__name", "status").annotate(Count("id"))
    by_group: dict[tuple[str, int, str], dict[str, int]] = {}
    for slug, generation, profile, status, count in counted:
        statuses = by_group.setdefault((slug, generation, profile or ""), {})
        statuses[status] = statuses.get(status, 0) + count
    return tuple(
        MassRevocationGroup(
            *group,
            reserved=statuses.get(CertificateStatus.RESERVED, 0),
            issued=statuses.get(CertificateStatus.ISSUED, 0),
            revoked=statuses.get(CertificateStatus.REVOKED, 0),
        )
        for group, statuses in sorted(by_group.items())
    )


def utc(moment: dt.datetime) -> str:
    """Returns a time in one form, whatever its zone."""
    return moment.astimezone(dt.UTC).isoformat()


def summarised(plain: dict[str, Any]) -> dict[str, Any]:
    """Returns the criteria, with number and hash instead of their two long lists, for the document that people approve."""
    lists = {name: plain[name] for name in ("key_hashes", "serials") if name in plain}
    return plain | {name: {"count": len(values), "sha256": sha256_hex(canonical_json(values))} for name, values in lists.items()}


def digest_sql(column: str) -> str:
    """Returns SQL for the SHA-256 in hex over the ids of a column, 16 octets each in rising order."""
    return _MEMBERS_SHA256.format(column)


def _members_sha256(rows: QuerySet[Certificate]) -> str:
    sql, parameters = rows.order_by().values("id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {digest_sql('id')} FROM ({sql}) AS member", parameters)  # noqa: S608  (both parts are ours)
        (digest,) = cursor.fetchone()
    return str(digest)


def _generations() -> dict[str, int]:
    """Returns the id of each CA, by `slug:generation`."""
    rows = CertificateAuthority.objects.values_list("slug", "generation", "id")
    return {f"{slug}:{generation}": id_ for slug, generation, id_ in rows}


def _profile_versions(condition: Q) -> list[int]:
    return list(ProfileVersion.objects.filter(condition).values_list("id", flat=True))


def _own() -> Q:
    """Returns the condition for certificates of CAs and OCSP responders, by profile and tables that no client can choose."""
    profiles = _profile_versions(Q(definition__no_check=True))
    signers = OcspSigner.objects.values("certificate_id")
    return Q(profile_version__in=profiles) | Q(id__in=signers) | authorities.ca_certificates()


def _list(given: Iterable[str], parse: Any, name: str, faults: dict[str, list[str]]) -> tuple[str, ...]:
    values, wrong = set(), []
    for place, text in enumerate(given, start=1):
        try:
            values.add(parse(text))
        except ValueError:
            wrong.append(place)
    if wrong:
        faults[name] = [f"{_unreadable(wrong)} {_FORMS[name]}"]
    if len(values) > LONGEST_LIST:
        faults[name] = [f"Listan får ha högst {LONGEST_LIST} värden."]
    return tuple(sorted(values))


def _unreadable(places: list[int]) -> str:
    """Returns the error for values of a list that cannot be read, by their places: no error repeats a value that was sent."""
    if len(places) == 1:
        return f"Värde nummer {places[0]} i listan går inte att läsa."
    shown = ", ".join(map(str, places[:EXAMPLES]))
    return f"{len(places)} värden i listan går inte att läsa: nummer {shown}{' och fler' if len(places) > EXAMPLES else ''}."


def _serial(text: str) -> str:
    return serials.text(serials.number(text.replace(":", "").strip()))


def _key_hash(text: str) -> str:
    value = text.replace(":", "").strip().lower()
    if len(bytes.fromhex(value)) != 32 or len(value) != 64:
        raise ValueError(text)
    return value


def _unmatched(values: tuple[str, ...], rows: QuerySet[Certificate], column: str) -> list[str]:
    """Returns the values of a list without a certificate, sorted."""
    if not values:
        return []
    hit = set(rows.order_by().values_list(column, flat=True).distinct().iterator(chunk_size=10_000))
    return [value for value in values if value not in hit]
