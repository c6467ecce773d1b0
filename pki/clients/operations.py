"""The operations of machine clients, within their permissions: order, revoke, read and search (rules/pki 3.4).

A certificate that the client may not know of raises NotFound, like a missing one and after the same queries. An operation on a
known certificate without the permission raises Forbidden.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from pki.clients.permissions import Reach
from pki.domain import client_names, serials
from pki.domain.orders import CertificateOrder
from pki.domain.profiles import PROFILES
from pki.issuing import planning
from pki.models import Certificate, CertificateStatus, ClientOrder
from pki.revocation import revoking
from siths_portal.lib import clock, faults
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound

CHANNEL = "api"
SEARCH_SPAN = dt.timedelta(days=31)
PREFIX_DIGITS = 8
_ORDER_CONSTRAINT = "pki_client_order_key"
_MARGIN = dt.timedelta(minutes=5)


def actor_ref(client_ref: str) -> str:
    """Returns the client as the actor of events."""
    return f"client:{client_ref}"


def longest(profile: str) -> dt.datetime:
    """Returns the latest notAfter that an order by `profile` may request now, slightly less than its limit.

    An unknown profile gives no error here: the order is refused later, like one that the client may not see.
    """
    known = PROFILES.get(profile)
    return clock.now() + dt.timedelta(days=known.max_days if known else 0) - _MARGIN


def order_certificate(
    *, client_ref: str, key: str, request_sha256: str, order: CertificateOrder, registered: Mapping[str, Collection[str]]
) -> UUID:
    """Plans a certificate under the client's idempotency key, or finds the one planned before; returns its id.

    The key is written in the transaction that reserves the serial, so one key never makes two certificates. `registered` has the
    client's registered values by attribute. Raises NotFound and Forbidden by the permissions and for an attribute that is not
    registered, Invalid for a key that was used for another request, and as `plan_certificates`.
    """
    names = client_names.ordered(order.subject, order.subject_alternative)
    Reach.of(client_ref).require_issue(order.ca, order.profile, names)
    _require_registered(client_names.unregistered(order.subject, registered))
    if (known := _ordered(client_ref, key, request_sha256)) is not None:
        return known
    try:
        with transaction.atomic(durable=True):
            (planned,) = planning.plan_certificates([order], actor_ref=actor_ref(client_ref), unit_ref="", client_ref=client_ref)
            ClientOrder.objects.create(
                client_ref=client_ref,
                key=key,
                request_sha256=request_sha256,
                certificate_id=planned,
                created_at=clock.now(),
            )
    except IntegrityError as error:
        # A concurrent request with the same key was first.
        if _ORDER_CONSTRAINT not in str(error) or (known := _ordered(client_ref, key, request_sha256)) is None:
            raise
        return known
    faults.point("pki.client.after-commit")
    return planned


def _require_registered(refused: list[str]) -> None:
    if refused:
        message = f"Klienten har inte rätt till dessa värden i certifikatets subject: {', '.join(refused)}."
        reason = "Värdet är inte registrerat för klienten. Ange ett registrerat värde, eller be driften registrera det."
        fields = {f"subject.{name}": [reason] for name in refused}
        raise Forbidden("client-may-not-use-attribute", message, fields=fields)


def _ordered(client_ref: str, key: str, request_sha256: str) -> UUID | None:
    row = ClientOrder.objects.filter(client_ref=client_ref, key=key).first()
    if row is None:
        return None
    if row.request_sha256 != request_sha256:
        raise Invalid("idempotency-key-reused", "Idempotency-Key har redan använts för en annan begäran. Välj ett nytt värde.")
    return row.certificate_id


def ordered_certificate(*, client_ref: str, key: str) -> Certificate:
    """Returns the certificate ordered under the key, if the client may still read it. Raises NotFound and Forbidden."""
    found = ClientOrder.objects.filter(client_ref=client_ref, key=key).values_list("certificate_id", flat=True).first()
    return _readable(client_ref, Q(pk=found))


def read_certificate(*, client_ref: str, ca: str, serial: str) -> Certificate:
    """Returns the CA's certificate with this hexadecimal serial, with its DER.

    Raises NotFound if the client may not know of it, and Forbidden if the client may only revoke it.
    """
    return _readable(client_ref, _named(ca, serial))


def revoke_certificate(
    *,
    client_ref: str,
    ca: str,
    serial: str,
    reason: str,
    received_at: dt.datetime | None = None,
    invalidity_date: dt.datetime | None = None,
    justification: str = "",
) -> Certificate:
    """Revokes, finally; a repeated call changes only what `plan_revocation` allows. `received_at` is now unless given.

    Raises NotFound and Forbidden by the permissions, Conflict for a certificate that was never made, and Invalid.
    """
    reach = Reach.of(client_ref)
    with transaction.atomic(durable=True):
        row = _one(reach, _named(ca, serial))
        if not Certificate.objects.filter(reach.revocable(), pk=row.pk).exists():
            raise Forbidden("client-may-not-revoke", "Klienten har inte rätt att spärra certifikatet.")
        if row.status == CertificateStatus.FAILED:
            raise Conflict("certificate-failed", "Certifikatet blev aldrig utfärdat, så det finns inget att spärra.")
        revoking.plan_revocation(
            [row.pk],
            reason=reason,
            actor_ref=actor_ref(client_ref),
            received_at=received_at or clock.now(),
            channel=CHANNEL,
            justification=justification,
            invalidity_date=invalidity_date,
        )
    faults.point("pki.client.after-commit")
    return Certificate.objects.select_related("ca", "profile_version").defer("tbs_der").get(pk=row.pk)


@dataclass(frozen=True)
class CertificateQuery:
    """The criteria of a search; empty values do not restrict. Raises Invalid unless a value limits the search to few enough rows.

    Such a value is a subject, carrier, key, at least PREFIX_DIGITS digits of a serial, or at most SEARCH_SPAN of issuance.
    """

    ca: str = ""
    profile: str = ""
    status: str = ""
    subject_ref: str = ""
    carrier_ref: str = ""
    spki_sha256: str = ""
    serial_prefix: str = ""
    issued_from: dt.datetime | None = None
    issued_before: dt.datetime | None = None

    def __post_init__(self) -> None:
        if (self.issued_from is None) != (self.issued_before is None):
            raise _too_wide("issued_before", "Ange både issued_from och issued_before.")
        if self.issued_from is not None and self.issued_before is not None:
            if not dt.timedelta(0) < self.issued_before - self.issued_from <= SEARCH_SPAN:
                raise _too_wide("issued_before", f"issued_before ska ligga högst {SEARCH_SPAN.days} dygn efter issued_from.")
        elif not (self.subject_ref or self.carrier_ref or self.spki_sha256 or self.serial_prefix):
            raise _too_wide("body", "Sök på subject_ref, carrier_ref, public_key_sha256, serial_prefix eller utfärdandetid.")
        if self.serial_prefix and len(self.serial_prefix) < PREFIX_DIGITS:
            raise _too_wide("serial_prefix", f"Ange minst {PREFIX_DIGITS} siffror av serienumret.")

    @property
    def by_time(self) -> bool:
        """Returns whether results are sorted by time of issuance, otherwise by time of the order; the newest first."""
        return self.issued_from is not None

    def condition(self) -> Q:
        """Returns the search as a condition on `Certificate`."""
        columns: Mapping[str, object] = {
            "ca__slug": self.ca,
            "profile_version__name": self.profile,
            "status": self.status,
            "subject_ref": self.subject_ref,
            "carrier_ref": self.carrier_ref,
            "spki_sha256": self.spki_sha256,
            "issued_at__gte": self.issued_from,
            "issued_at__lt": self.issued_before,
        }
        wanted = Q(**{name: value for name, value in columns.items() if value})
        if self.serial_prefix:
            # G sorts after every hexadecimal digit, in any collation.
            prefix = self.serial_prefix.upper()
            wanted &= Q(serial__gte=prefix, serial__lt=f"{prefix}G")
        return wanted


@dataclass(frozen=True)
class Position:
    """The end of a search's page: the last result's id, and its time of issuance if the search is by time."""

    id: UUID
    issued_at: dt.datetime | None = None


def search_certificates(*, client_ref: str, search: CertificateQuery, after: Position | None, limit: int) -> list[Certificate]:
    """Returns at most `limit` matching certificates that the client may read, the newest first, without DER."""
    rows = Certificate.objects.filter(Reach.of(client_ref).readable(), search.condition())
    if search.by_time:
        rows = rows.order_by("-issued_at", "-id")
        if after is not None:
            here = Q(issued_at__lt=after.issued_at) | Q(issued_at=after.issued_at, id__lt=after.id)
            rows = rows.filter(here, issued_at__lte=after.issued_at)  # the second for the index
    else:
        rows = rows.order_by("-id")
        if after is not None:
            rows = rows.filter(id__lt=after.id)
    return list(rows.select_related("ca", "profile_version").defer("tbs_der")[:limit])


def _too_wide(name: str, reason: str) -> Invalid:
    return Invalid("search-too-wide", reason, fields={name: [reason]})


def _named(ca: str, serial: str) -> Q:
    try:
        return Q(ca__slug=ca, serial=serials.text(serials.number(serial)))
    except ValueError:
        return Q(ca__slug=ca, serial="")


def _one(reach: Reach, named: Q) -> Certificate:
    """Returns the certificate; the newest generation's if two have the serial, which only imported CAs may."""
    rows = Certificate.objects.filter(reach.visible(), named).select_related("ca", "profile_version").defer("tbs_der")
    found = rows.order_by("-ca__generation").first()
    if found is None:
        raise NotFound("certificate-unknown", "Certifikatet finns inte.")
    return found


def _readable(client_ref: str, named: Q) -> Certificate:
    reach = Reach.of(client_ref)
    row = _one(reach, named)
    full = Certificate.objects.filter(reach.readable(), pk=row.pk).select_related("ca__parent", "profile_version", "blob")
    found = full.defer("tbs_der").first()
    if found is None:
        raise Forbidden("client-may-not-read", "Klienten har inte rätt att läsa certifikatet.")
    return found
