"""Issuing areas: the overview, and one area with its organisations (domain.md 7.1, 7.2)."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Value
from django.db.models.functions import Coalesce

from issuance.authz import Action, Actor
from issuance.models import IssuingArea
from issuance.queries.administration import paging
from issuance.queries.administration.paging import Order

AREA_COLUMNS = {"namn": "name", "utgivare": "issuer"}


@dataclass(frozen=True)
class AreaLine:
    """An area in the overview."""

    id: UUID
    name: str
    issuing_organisation: str


@dataclass(frozen=True)
class AreaPage:
    """A page of areas; `after` is where the next goes on, None on the last."""

    rows: tuple[AreaLine, ...]
    after: UUID | None


def areas(*, actor: Actor, order: Order, after: UUID | None = None, limit: int = paging.PAGE) -> AreaPage:
    """The issuing areas that the actor sees."""
    rows = IssuingArea.objects.visible_to(actor, Action.VIEW_CONFIGURATION).annotate(
        issuer=Coalesce(F("issuing_organisation__name"), Value(""))
    )
    found, further = paging.page(rows, column=AREA_COLUMNS[order.key], descending=order.descending, after=after, limit=limit)
    return AreaPage(tuple(AreaLine(row.id, row.name, row.issuer) for row in found), further)
