"""Carriers by function, organisation and article, and the hold of their certificates.

The hold lasts from issuance until the holder has chosen the code (`pki.revocation.holds`).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Model, OuterRef, QuerySet

from issuance.authz import Actor, policy
from issuance.carriers.domain import carrier_states, kinds
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from pki import service as pki
from siths_portal.lib.errors import NotFound, Unavailable

_INVALID = [state.value for state in carrier_states.INVALID]
_LIVE = [EidState.ORDERED.value, EidState.ACTIVE.value]


type Rows[Row: Model] = QuerySet[Row] | Callable[[Actor], QuerySet[Row]]
"""Where `get` finds a row: a queryset, or a function of a module, whose query is compiled once (`policy.Rows`)."""


def get[Row: Model](actor: Actor, function: Function, rows: Rows[Row], pk: UUID | str, *, kind: str = "kind") -> Row:
    """Returns the row `pk` of `rows`, a carrier or a row of one, if its kind has the function and the actor the right to it.

    `kind` is the lookup of the carrier's kind. It runs one query for each right that some kind requires. Raises NotFound,
    Forbidden (role, own matter).
    """
    missing = NotFound("not-found", "Kortet finns inte.")
    for right, codes in kinds.rights(function).items():
        try:
            if isinstance(rows, QuerySet):
                return policy.get(actor, right, rows.filter(**{f"{kind}__in": codes}), pk)
            found: Row = policy.get(actor, right, _of_kinds(rows, kind, tuple(codes)), pk)
            return found
        except NotFound as error:
            missing = error
    raise missing


@lru_cache(maxsize=100)  # one for each function of officers and set of kinds; the same one each time, as `prepared` needs it
def _of_kinds(rows: Callable[[Actor], QuerySet[Any]], kind: str, codes: tuple[str, ...]) -> Callable[[Actor], QuerySet[Any]]:
    return lambda actor: rows(actor).filter(**{f"{kind}__in": codes})


def reached(actor: Actor, function: Function) -> QuerySet[Carrier]:
    """Returns the carriers on which the actor may use the function, each by the right that its kind requires."""
    found = Carrier.objects.none()
    for right, codes in kinds.rights(function).items():
        found |= Carrier.objects.visible_to(actor, right).filter(kind__in=codes)
    return found


def carriers_of_organisation(organisation: OuterRef) -> QuerySet[Carrier]:
    """Returns the organisation's carriers that are valid or on their way."""
    return Carrier.objects.filter(organisation=organisation).exclude(state__in=_INVALID)


def eids_of_organisation(organisation: OuterRef) -> QuerySet[Eid]:
    """Returns the organisation's eIDs that are valid or on their way."""
    return Eid.objects.filter(organisation=organisation, state__in=_LIVE)


def have_article(code: str) -> bool:
    """True if a carrier was ever made with the article, migrated carriers included."""
    return Carrier.objects.filter(article=code).exists()


def plan_release(carrier: Carrier, delivery_id: UUID, *, actor_ref: str) -> None:
    """Plans the release of the hold, which the `pki` worker does by the proof of this delivery.

    Joins the caller's transaction.
    """
    pki.plan_release(_certificate_ids(carrier), delivery_id=delivery_id, actor_ref=actor_ref)


def await_release(carrier: Carrier) -> None:
    """Waits until the hold has been released. Raises Unavailable after EID_APP_WAIT_SECONDS. Must not run in a transaction."""
    if not pki.wait_until_released(_certificate_ids(carrier), seconds=settings.EID_APP_WAIT_SECONDS):
        raise Unavailable("certificates-on-hold", "Kortets certifikat görs giltiga just nu. Vänta en stund och skriv under igen.")


def _certificate_ids(carrier: Carrier) -> list[UUID]:
    return list(CarrierCertificate.objects.filter(carrier=carrier).values_list("certificate_id", flat=True))
