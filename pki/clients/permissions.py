"""Permissions of machine clients for certificates, per CA, profile and name (ADR 0138). `authn` identifies the clients."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from django.db import transaction
from django.db.models import Q

from pki.domain import client_names
from pki.domain.client_names import ANY_NAME
from pki.domain.profiles import PROFILES
from pki.models import CertificateAuthority, ClientPermission, Event, ProfileVersion
from siths_portal.lib import clock
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.errors import Forbidden, Invalid, NotFound

RIGHTS = ("issue", "revoke", "read")
_REF = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class PermissionView:
    """What one client may do with the certificates of one CA and profile; `rights` in the order of RIGHTS."""

    client_ref: str
    ca: str
    profile: str
    rights: tuple[str, ...]
    names: tuple[str, ...] = ()


def grant_client(
    *, client_ref: str, ca: str, profile: str, rights: Iterable[str], actor_ref: str, names: Iterable[str] = ()
) -> PermissionView:
    """Adds rights and names, with one event if any is new. The client need not be registered yet.

    `issue` covers the names by the rules of `pki.domain.client_names`, and `revoke` the certificates that the client ordered
    itself; with ANY_NAME both cover every certificate of the CA and profile.

    Raises Invalid for a malformed reference, an unknown CA, a profile that the CA does not have and an unknown right. Raises
    Invalid for `issue` and `revoke` of certificates of CAs and of OCSP responders, and for `issue` of persons' eIDs: otherwise
    an operator with a client could make an eID in anybody's name (DIGG K3.4). Raises Invalid too for a malformed name, for
    `issue` without a name, and for `revoke` of persons' eIDs without ANY_NAME, since no client orders those.
    """
    wanted, new_names = _rights(rights), _names(names)
    _check(client_ref, ca, profile, wanted)
    with transaction.atomic(durable=True):
        row = _locked(client_ref, ca, profile)
        held = new_names | set(row.names)
        _check_names(profile, wanted, held)
        return _change(row, set(_held(row)) | wanted, held, "client.granted", actor_ref)


def withdraw_client(
    *, client_ref: str, ca: str, profile: str, rights: Iterable[str] = RIGHTS, actor_ref: str, names: Iterable[str] = ()
) -> PermissionView:
    """Withdraws rights from the client's next request on, or only `names` if given, with one event if the client had any.

    Certificates that the client ordered do not change. Raises NotFound if the client has no right there, and Invalid for an
    unknown right or a malformed name.
    """
    unwanted, unwanted_names = _rights(rights), _names(names)
    with transaction.atomic(durable=True):
        row = _locked(client_ref, ca, profile)
        if row.pk is None:
            raise NotFound("client-without-rights", "Klienten har inga rättigheter till profilen hos utfärdaren.")
        rights_left = set(_held(row)) if unwanted_names else set(_held(row)) - unwanted
        return _change(row, rights_left, set(row.names) - unwanted_names, "client.withdrawn", actor_ref)


def client_permissions(client_ref: str | None = None) -> list[PermissionView]:
    """Returns every permission, or those of one client, by client, CA and profile."""
    rows = ClientPermission.objects.order_by("client_ref", "ca", "profile")
    return [_view(row) for row in (rows if client_ref is None else rows.filter(client_ref=client_ref))]


@dataclass(frozen=True)
class Reach:
    """A client's permissions as conditions on `Certificate`: hidden and missing certificates look the same."""

    client_ref: str
    permissions: tuple[ClientPermission, ...]
    cas: tuple[CertificateAuthority, ...]
    versions: tuple[ProfileVersion, ...]

    @classmethod
    def of(cls, client_ref: str) -> Self:
        """Returns the client's present permissions."""
        rows = tuple(ClientPermission.objects.filter(client_ref=client_ref).order_by("ca", "profile"))
        cas = CertificateAuthority.objects.filter(slug__in={row.ca for row in rows}).only("id", "slug")
        versions = ProfileVersion.objects.filter(name__in={row.profile for row in rows}).only("id", "name")
        return cls(client_ref, rows, tuple(cas), tuple(versions))

    def require_issue(self, ca: str, profile: str, names: Mapping[str, Iterable[str]]) -> None:
        """Checks that the client may order a certificate for `names`, given by the order's field.

        Raises NotFound if the client has no right at all there, as for a CA that does not exist, and Forbidden without `issue` or
        for a name that it was not granted.
        """
        held = next((row for row in self.permissions if (row.ca, row.profile) == (ca, profile)), None)
        if held is None:
            raise NotFound("profile-unknown", "Utfärdaren finns inte, eller har inte profilen.")
        # Even if a row grants it: then `grant_client` has not written that row.
        if not held.may_issue or (profile in PROFILES and PROFILES[profile].is_on_carrier):
            raise Forbidden("client-may-not-issue", "Klienten har inte rätt att beställa certifikat med profilen.")
        if refused := client_names.outside(names, held.names):
            texts = dict.fromkeys(name for held_names in refused.values() for name in held_names)
            message = f"Klienten har inte rätt att beställa certifikat för {', '.join(texts)}."
            reasons = {field: [f"Klienten har inte rätt till {', '.join(each)}."] for field, each in refused.items()}
            raise Forbidden("client-may-not-use-name", message, fields=reasons)

    def readable(self) -> Q:
        """Returns the condition for certificates that the client may read: all of a CA and profile, or its own orders."""
        own = self._where("issue") & Q(client_ref=self.client_ref)
        return self._where("read") | own

    def revocable(self) -> Q:
        """Returns the condition for certificates that the client may revoke: its own orders, or all with ANY_NAME."""
        own = self._where("revoke") & Q(client_ref=self.client_ref)
        return own | self._where("revoke", any_name=True)

    def visible(self) -> Q:
        """Returns the condition for certificates whose existence the client may know."""
        return self.readable() | self.revocable()

    def _where(self, right: str, *, any_name: bool = False) -> Q:
        profiles: dict[str, set[str]] = {}
        for row in self.permissions:
            if right in _held(row) and (not any_name or ANY_NAME in row.names):
                profiles.setdefault(row.ca, set()).add(row.profile)
        found = Q(pk__in=[])
        for ca in self.cas:
            versions = [version.id for version in self.versions if version.name in profiles.get(ca.slug, ())]
            if versions:
                found |= Q(ca=ca.id, profile_version__in=versions)
        return found


def _rights(given: Iterable[str]) -> set[str]:
    found = set(given)
    if not found or not found <= set(RIGHTS):
        reason = f"Ange en eller flera av {', '.join(RIGHTS)}."
        raise Invalid("client-right", reason, fields={"rights": [reason]})
    return found


def _names(given: Iterable[str]) -> set[str]:
    try:
        return {client_names.normal(name) for name in given}
    except ValueError as error:
        reason = f"Namnet {error} kan inte ges: ange ett DNS-namn, en IP-adress, *.domän eller {ANY_NAME}."
        raise Invalid("client-name", reason, fields={"names": [reason]}) from None


def _check_names(profile: str, wanted: set[str], held: set[str]) -> None:
    if "issue" in wanted and not held:
        reason = f"Ange de namn som klienten får beställa certifikat för, eller {ANY_NAME} för alla."
        raise Invalid("client-without-names", reason, fields={"names": [reason]})
    if "revoke" in wanted and PROFILES[profile].is_for_persons and ANY_NAME not in held:
        reason = f"Klienten beställer inga e-legitimationer för personer. Ange {ANY_NAME} om den får spärra allas."
        raise Invalid("client-without-names", reason, fields={"names": [reason]})


def _check(client_ref: str, ca: str, profile: str, wanted: set[str]) -> None:
    if not _REF.fullmatch(client_ref):
        reason = "Klientens namn ska vara gemener, siffror och bindestreck, högst 63 tecken."
        raise Invalid("client-ref", reason, fields={"client_ref": [reason]})
    known = PROFILES.get(profile)
    if known is None or ca not in known.issuers or not CertificateAuthority.objects.filter(slug=ca).exists():
        reason = "Utfärdaren finns inte, eller har inte profilen."
        raise Invalid("profile-not-offered", reason, fields={"profile": [reason]})
    if not known.orderable and wanted - {"read"}:
        reason = "Sådana certifikat gör och spärrar bara PKI:n själv. Klienten kan få läsa dem."
        raise Invalid("profile-not-orderable", reason, fields={"rights": [reason]})
    if known.is_on_carrier and "issue" in wanted:
        reason = "Personers e-legitimationer beställs i portalen, där ingen kan skaffa en ensam. Klienten kan få läsa och spärra."
        raise Invalid("profile-of-persons", reason, fields={"rights": [reason]})


def _locked(client_ref: str, ca: str, profile: str) -> ClientPermission:
    """Returns the client's row, unsaved if there is none; changes of the client's rights wait for each other."""
    lock_until_commit(f"pki.client {client_ref}")
    key = {"client_ref": client_ref, "ca": ca, "profile": profile}
    return ClientPermission.objects.filter(**key).first() or ClientPermission(**key)


def _held(row: ClientPermission) -> tuple[str, ...]:
    return tuple(right for right in RIGHTS if getattr(row, f"may_{right}"))


def _change(row: ClientPermission, rights: set[str], names: set[str], action: str, actor_ref: str) -> PermissionView:
    changed, changed_names = sorted(set(_held(row)) ^ rights), sorted(set(row.names) ^ names)
    for right in RIGHTS:
        setattr(row, f"may_{right}", right in rights)
    row.names = sorted(names)
    if changed or changed_names:
        row.changed_at = clock.now()
        if rights:
            row.save()
        else:
            row.delete()
        Event.record(
            actor_ref=actor_ref,
            action=action,
            subject_type="client",
            subject_ref=row.client_ref,
            facts={"ca": row.ca, "profile": row.profile, "rights": changed, "names": changed_names},
        )
    return _view(row)


def _view(row: ClientPermission) -> PermissionView:
    return PermissionView(row.client_ref, row.ca, row.profile, _held(row), tuple(row.names))
