"""Pages of the change history of an area and of an organisation."""

from collections.abc import Sequence
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from issuance.administration.queries.area_history import AreaHistory
from issuance.administration.queries.history import ConfigurationEntry
from issuance.organisations.queries import places
from issuance.records.web.frame import Tab, actor_of
from issuance.records.web.history import TEMPLATE, HistoryList
from issuance.records.web.places import area_page, organisation_page
from siths_portal.lib.lists import Source

_SHOW, _EVERYTHING = "visa", "allt"
_COVERS = {
    False: gettext_lazy("Här står vad som har hänt med själva utgivningsområdet och dess ansvariga utgivare."),
    True: gettext_lazy(
        "Här står vad som har hänt med området och allt som ligger i det nu: kontor, och organisationer med deras artiklar, "
        "kortanpassningar, kvittenstexter och roller. En organisation som flyttas till ett annat område tar sin historik med sig."
    ),
}
"""Descriptions of an area's history; the key is True for the history with everything in the area."""


class AreaHistoryList(HistoryList):
    """The history of an area with everything that belongs to it now."""

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return [(_SHOW, _EVERYTHING)]

    def rows(self) -> Source[ConfigurationEntry]:
        """See `List`."""
        return AreaHistory(self.actor, UUID(str(self.subject_ref)), self.period)


@require_safe
def area_history(request: HttpRequest, area_id: UUID) -> HttpResponseBase:
    """Shows the changes of an area, or with `?visa=allt` of everything in it. Raises NotFound, Forbidden."""
    head = places.area_head(actor=actor_of(request), area_id=area_id)
    whole = request.GET.get(_SHOW) == _EVERYTHING
    own = {
        "covers": _COVERS[whole],
        "choices": [
            Tab(_("Bara området"), request.path, not whole),
            Tab(_("Allt i området"), f"{request.path}?{_SHOW}={_EVERYTHING}", whole),
        ],
    }
    return (AreaHistoryList if whole else HistoryList)(request, "area", area_id).page(
        lambda context, status: area_page(request, TEMPLATE, head, {**context, **own}, here="area_history", status=status)
    )


@require_safe
def organisation_history(request: HttpRequest, organisation_id: UUID) -> HttpResponseBase:
    """Shows the changes of an organisation. Raises NotFound, Forbidden."""
    head = places.organisation_head(actor=actor_of(request), organisation_id=organisation_id)
    return HistoryList(request, "organisation", organisation_id).page(
        lambda context, status: organisation_page(request, TEMPLATE, head, context, here="organisation_history", status=status)
    )
