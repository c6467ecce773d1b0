"""The lists of the overview: issuing areas, and organisations for users who see no complete area."""

from collections.abc import Sequence

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from issuance.organisations.queries import areas
from issuance.organisations.queries.areas import AreaLine, OrganisationLine
from issuance.records.web.frame import actor_of
from siths_portal.lib.lists import Column, Key, Kind, Lines, List, Source


class AreaList(List[AreaLine]):
    """The issuing areas that the actor sees. The page's heading names the table."""

    counted_as = ngettext_lazy("{n} område", "{n} områden")
    columns = (
        Column(key="namn", heading=_("Utgivningsområde"), value="name", sort="name", template="administration/area_cell.html"),
        Column(
            key="utgivare",
            heading=_("Utgivande organisation"),
            value="issuing_organisation",
            sort=Key("issuer", nullable=False),
        ),
    )
    table_id = "omraden"
    order = "namn"

    def rows(self) -> Source[AreaLine]:
        """See `List`."""
        return areas.areas(actor=actor_of(self.request))


class GrantedOrganisationList(List[OrganisationLine]):
    """Organisations of the actor's role grants, by name."""

    counted_as = ngettext_lazy("{n} organisation", "{n} organisationer")
    columns = (
        Column(
            key="namn",
            heading=_("Organisationsnamn"),
            value="name",
            link=lambda each: reverse("organisation", args=[each.id]),
        ),
        Column(key="nummer", heading=_("Organisationsnummer"), value="organisation_number", kind=Kind.NUMBER),
        Column(key="id", heading=_("Organisations-id"), value="hsa_id", kind=Kind.NUMBER, css="whole"),
        Column(key="omrade", heading=_("Utgivningsområde"), value="area", css="row-name"),
    )
    table_id = "organisationer"
    order = "namn"
    prefix = "organisation_"

    def __init__(self, request: HttpRequest, found: Sequence[OrganisationLine]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[OrganisationLine]:
        """See `List`."""
        return Lines(self.found)
