"""The places of roles as text, for readers who may know them: of grants, and of events that name a grant (ADR 0212).

Events from before ADR 0212 have only a scope path, which a move changes. The grant always has its place.
"""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from issuance.authz import Action, Actor
from issuance.organisations.models import IssuingArea, Organisation
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant


def place_of(row: RoleGrant) -> str:
    """Returns the place of a role."""
    if row.organisation is not None:
        return row.organisation.name
    return _("Utgivningsområdet {name}").format(name=row.area.name) if row.area is not None else _("Hela portalen")


def places_of_events(actor: Actor, events: Iterable[Event]) -> dict[str, str]:
    """Returns the place of each grant that the events name; "utanför din behörighet" for places outside the actor's scope.

    One query; no query if no event names a grant.
    """
    grants = {str(event.facts["grant"]) for event in events if "grant" in event.facts}
    if not grants:
        return {}
    reached = [
        Exists(rows.visible_to(actor, Action.VIEW_HISTORY).filter(pk=OuterRef(name)))
        for rows, name in ((Organisation.objects, "organisation"), (IssuingArea.objects, "area"))
    ]
    rows = RoleGrant.objects.filter(pk__in=grants).select_related("area", "organisation")
    return {
        str(row.pk): place_of(row) if _is_global(row) or row.in_organisation or row.in_area else _("utanför din behörighet")
        for row in rows.annotate(in_organisation=reached[0], in_area=reached[1])
    }


def _is_global(row: RoleGrant) -> bool:
    return row.area_id is None and row.organisation_id is None
