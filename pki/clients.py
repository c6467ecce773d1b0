"""What machine clients may do with certificates, per CA and profile (spec F4). Who a client is, is known elsewhere."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.db import transaction
from django.db.models import Q

from pki.domain.profiles import PROFILES
from pki.models import CertificateAuthority, ClientPermission, Event, ProfileVersion
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, Invalid, NotFound
from siths_portal.lib.locks import lock_until_commit

RIGHTS = ("issue", "revoke", "read")
_REF = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class PermissionView:
    """What one client may do with the certificates of one CA and profile; `rights` in the order of RIGHTS."""

    client_ref: str
    ca: str
    profile: str
    rights: tuple[str, ...]


def grant_client(*, client_ref: str, ca: str, profile: str, rights: Iterable[str], actor_ref: str) -> PermissionView:
    """Adds rights, with one event if any is new. The client need not be registered yet.

    Raises Invalid for a malformed reference, an unknown CA, a profile that the CA does not have, an unknown right, for `issue`
    and `revoke` of what the PKI makes for itself (certificates of CAs and of OCSP responders), and for `issue` of persons' eIDs:
    who grants himself that, and has a client, could make one in anybody's name (DIGG K3.4).
    """
    wanted = _rights(rights)
    _check(client_ref, ca, profile, wanted)
    with transaction.atomic(durable=True):
        row = _locked(client_ref, ca, profile)
        return _change(row, set(_held(row)) | wanted, "client.granted", actor_ref)


def withdraw_client(*, client_ref: str, ca: str, profile: str, rights: Iterable[str] = RIGHTS, actor_ref: str) -> PermissionView:
    """Takes rights away from the next request on, with one event if any was held; what the client ordered stays as it is.

    Raises NotFound if the client has no right there, and Invalid for an unknown right.
    """
    unwanted = _rights(rights)
    with transaction.atomic(durable=True):
        row = _locked(client_ref, ca, profile)
        if row.pk is None:
            raise NotFound("client-without-rights", "Klienten har inga rättigheter till profilen hos utfärdaren.")
        return _change(row, set(_held(row)) - unwanted, "client.withdrawn", actor_ref)


def client_permissions(client_ref: str | None = None) -> list[PermissionView]:
    """Every permission, or those of one client, by client, CA and profile."""
    rows = ClientPermission.objects.order_by("client_ref", "ca", "profile")
    return [_view(row) for row in (rows if client_ref is None else rows.filter(client_ref=client_ref))]


@dataclass(frozen=True)
class Reach:
    """A client's permissions, as conditions on `Certificate`: the same for what is hidden and for what does not exist."""

    client_ref: str
    permissions: tuple[ClientPermission, ...]
    cas: tuple[CertificateAuthority, ...]
    versions: tuple[ProfileVersion, ...]

    @classmethod
    def of(cls, client_ref: str) -> Self:
        """What the client may do now."""
        rows = tuple(ClientPermission.objects.filter(client_ref=client_ref).order_by("ca", "profile"))
        cas = CertificateAuthority.objects.filter(slug__in={row.ca for row in rows}).only("id", "slug")
        versions = ProfileVersion.objects.filter(name__in={row.profile for row in rows}).only("id", "name")
        return cls(client_ref, rows, tuple(cas), tuple(versions))

    def require_issue(self, ca: str, profile: str) -> None:
        """Raises NotFound where the client has no right at all, as for what does not exist, and Forbidden without `issue`."""
        held = next((row for row in self.permissions if (row.ca, row.profile) == (ca, profile)), None)
        if held is None:
            raise NotFound("profile-unknown", "Utfärdaren finns inte, eller har inte profilen.")
        # Also where a row says otherwise: it was not written by `grant_client`.
        if not held.may_issue or (profile in PROFILES and PROFILES[profile].is_for_persons):
            raise Forbidden("client-may-not-issue", "Klienten har inte rätt att beställa certifikat med profilen.")

    def readable(self) -> Q:
        """Certificates that the client may read: all of a CA and profile, or those that it ordered itself."""
        own = self._where("issue") & Q(client_ref=self.client_ref)
        return self._where("read") | own

    def revocable(self) -> Q:
        """Certificates that the client may revoke."""
        return self._where("revoke")

    def visible(self) -> Q:
        """Certificates that the client may know of."""
        return self.readable() | self.revocable()

    def _where(self, right: str) -> Q:
        profiles: dict[str, set[str]] = {}
        for row in self.permissions:
            if right in _held(row):
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
    if known.is_for_persons and "issue" in wanted:
        reason = "Personers e-legitimationer beställs i portalen, där ingen kan skaffa en ensam. Klienten kan få läsa och spärra."
        raise Invalid("profile-of-persons", reason, fields={"rights": [reason]})


def _locked(client_ref: str, ca: str, profile: str) -> ClientPermission:
    """The client's row, unsaved if there is none; changes of the client's rights wait for each other."""
    lock_until_commit(f"pki.client {client_ref}")
    key = {"client_ref": client_ref, "ca": ca, "profile": profile}
    return ClientPermission.objects.filter(**key).first() or ClientPermission(**key)


def _held(row: ClientPermission) -> tuple[str, ...]:
    return tuple(right for right in RIGHTS if getattr(row, f"may_{right}"))


def _change(row: ClientPermission, rights: set[str], action: str, actor_ref: str) -> PermissionView:
    changed = sorted(set(_held(row)) ^ rights)
    for right in RIGHTS:
        setattr(row, f"may_{right}", right in rights)
    if changed:
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
            facts={"ca": row.ca, "profile": row.profile, "rights": changed},
        )
    return _view(row)


def _view(row: ClientPermission) -> PermissionView:
    return PermissionView(row.client_ref, row.ca, row.profile, _held(row))
