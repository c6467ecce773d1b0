"""When relying parties see a revocation: whether its OCSP responses are signed, and which CRL lists it or will list it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Exists, F, Func, IntegerField, Min, OuterRef, Q, Subquery

from pki.models import ANSWERED, ONLINE, CertIdHash, Certificate, CertificateStatus, Crl, OcspSigner
from siths_portal.lib import clock


class LastOctet(Func):
    """The last octet of a serial, which determines its shard (`domain.crl_shards`)."""

    template = "get_byte(decode(right(%(expressions)s, 2), 'hex'), 0)"
    output_field = IntegerField()


@dataclass(frozen=True)
class PublicationView:
    """The published status of one certificate.

    `answers_ocsp` is False if no response is pre-signed: the CA has no responder, or the certificate has expired, was never
    issued or is on hold (`held`), whose responses are signed for each request. `ocsp_since` is the thisUpdate of the older of
    its two current responses, None until both are signed. `crl_since` is the thisUpdate of the first CRL that lists it, None if
    no CRL does; `crl_due` is then when the next CRL is planned, None if no CRL will list it. A `crl_due` in the past means that
    the CRL is late.
    """

    id: UUID
    ca: str
    ca_name: str
    status: str
    held: bool
    revoked_at: dt.datetime | None
    answers_ocsp: bool
    ocsp_since: dt.datetime | None
    crl_since: dt.datetime | None
    crl_due: dt.datetime | None


def publication(certificate_ids: Iterable[UUID]) -> list[PublicationView]:
    """Returns the published status of each certificate, by one query, in no order, without unknown ids."""
    now = clock.now()
    current = Q(
        ocsp_responses__status_version=F("status_version"),
        ocsp_responses__this_update__lte=now,
        ocsp_responses__next_update__gt=now,
    )
    # The CRL that the certificate names: its shard's if the CA has shards.
    own_shard = LastOctet(OuterRef("serial")) % F("ca__crl_shards")
    lists = Crl.objects.filter(Q(shard=None, ca__crl_shards=1) | Q(shard=own_shard), ca=OuterRef("ca"))
    # A CRL contains every change of status up to its version.
    holding = lists.filter(status_version__gte=OuterRef("status_version")).order_by("number")
    rows = (
        Certificate.objects.filter(id__in=list(certificate_ids))
        .select_related("ca")
        .only(
            "status",
            "held",
            "not_after",
            "revoked_at",
            "ca__slug",
            "ca__common_name",
            "ca__state",
            "ca__key_id",
            "ca__crl_period",
        )
        .annotate(
            answers=Count("ocsp_responses", filter=current),
            answered_since=Min("ocsp_responses__this_update", filter=current),
            has_signer=Exists(OcspSigner.objects.filter(ca=OuterRef("ca"), retired_at=None)),
            held_since=Subquery(holding.values("this_update")[:1]),
            newest_list=Subquery(lists.order_by("-number").values("this_update")[:1]),
        )
    )
    found = []
    for row in rows:
        revoked = row.status == CertificateStatus.REVOKED
        listed = row.held_since if revoked else None
        publishes = revoked and row.ca.state in ONLINE and bool(row.ca.key_id)
        due = row.newest_list + row.ca.crl_period if row.newest_list else now
        found.append(
            PublicationView(
                id=row.id,
                ca=row.ca.slug,
                ca_name=row.ca.common_name,
                status=row.status,
                held=row.held,
                revoked_at=row.revoked_at,
                answers_ocsp=row.has_signer and row.not_after > now and row.status in ANSWERED and not row.held,
                ocsp_since=row.answered_since if row.answers == len(CertIdHash) else None,
                crl_since=listed,
                crl_due=due if publishes and listed is None else None,
            )
        )
    return found
