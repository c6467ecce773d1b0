"""The lists of card customisations, and of the organisations that have one."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from issuance.customisations.queries import customisations
from issuance.customisations.queries.area_customisations import PlaceWithout
from issuance.customisations.queries.customisations import CustomisationFacts, CustomisationLine
from issuance.customisations.web.customisation_forms import CustomisationChoiceForm
from issuance.organisations.queries.areas import OrganisationLine
from issuance.records.web.frame import actor_of
from siths_portal.lib.lists import Column, Empty, Key, Kind, Lines, List, Source, Tag


def _organisation(line: CustomisationLine) -> Any:
    if line.organisation:
        return line.organisation
    return format_html('<span class="subtle">{}</span>', _("Den generella") if line.generic else _("Ingen"))


class CustomisationList(List[CustomisationLine]):
    """The card customisations that the actor sees, with their progress."""

    counted_as = ngettext_lazy("{n} kortanpassning", "{n} kortanpassningar")
    columns = (
        Column(
            key="namn",
            heading=gettext_lazy("Kortanpassning"),
            value="name",
            sort=Key("sort_name", nullable=False),
            link=lambda line: reverse("customisation", args=[line.id]),
        ),
        Column(
            key="id",
            heading=gettext_lazy("Kortanpassnings-id"),
            value="customisation_id",
            kind=Kind.NUMBER,
            sort="customisation_id",
        ),
        Column(
            key="nummer", heading=gettext_lazy("Utfärdarnummer"), value="issuer_number", kind=Kind.NUMBER, sort="issuer_number"
        ),
        Column(key="organisation", heading=gettext_lazy("Organisation"), value=_organisation),
        Column(
            key="status",
            heading=gettext_lazy("Status"),
            kind=Kind.TAG,
            value=lambda line: Tag(line.standing.tag, line.standing.text),
        ),
    )
    caption = gettext_lazy("Kortanpassningar")
    caption_hidden = True
    table_id = "kortanpassningar"
    order = "namn"
    empty = Empty(
        gettext_lazy("Ingen kortanpassning"),
        gettext_lazy(
            "SITHS-förvaltningen skapar kortanpassningar på organisationernas sidor. Där önskar ansvarig utgivare en egen."
        ),
    )
    no_match = Empty(gettext_lazy("Ingen kortanpassning"), gettext_lazy("Ingen inom din behörighet stämmer med urvalet."))

    def form(self) -> CustomisationChoiceForm:
        """See `List`."""
        return CustomisationChoiceForm(self.request.GET)

    def rows(self) -> Source[CustomisationLine]:
        """See `List`."""
        return customisations.customisations(actor=actor_of(self.request), state=self.chosen.get("status", ""))


class OwnerList(List[OrganisationLine]):
    """The organisations that have a customisation themselves, by name. The page's heading titles the table."""

    counted_as = ngettext_lazy("{n} organisation", "{n} organisationer")
    columns = (
        Column(
            key="namn",
            heading=gettext_lazy("Organisationsnamn"),
            value="name",
            link=lambda line: reverse("organisation", args=[line.id]),
        ),
        Column(key="id", heading=gettext_lazy("Organisations-id"), value="hsa_id", kind=Kind.NUMBER, css="whole"),
        Column(key="omrade", heading=gettext_lazy("Utgivningsområde"), value="area", css="row-name"),
    )
    table_id = "organisationer"
    order = "namn"
    by = ("name",)
    fragment = "organisationer"
    heading_level = "3"

    def __init__(self, request: HttpRequest, found: CustomisationFacts) -> None:
        super().__init__(request)
        self.customisation = found
        why = _("Ingen organisation som du ser har den.")
        if found.may_edit and not found.generic:
            why = _(
                "Inga nya kort får den. Skapas den med samma kortanpassnings-id på en organisations sida gäller den igen, när "
                "den har verifierats."
            )
        self.empty = Empty(_("Ingen organisation"), why)

    def rows(self) -> Source[OrganisationLine]:
        """See `List`."""
        actor = actor_of(self.request)
        return customisations.organisations_with(actor=actor, customisation_id=self.customisation.id)


class PlaceWithoutList(List[PlaceWithout]):
    """The top organisations of an area without a customisation, with how many below them have none."""

    counted_as = ngettext_lazy("{n} organisation", "{n} organisationer")
    columns = (
        Column(
            key="namn",
            heading=gettext_lazy("Organisation"),
            value="name",
            sort="name",
            link=lambda line: reverse("organisation_customisation", args=[line.id]),
            below=lambda line: [_below(line.below)] if line.below else [],
        ),
        Column(key="id", heading=gettext_lazy("Organisations-id"), value="hsa_id", kind=Kind.NUMBER, css="whole", sort="hsa_id"),
    )
    table_id = "organisationer"
    fragment = "organisationer"
    order = "namn"

    def __init__(self, request: HttpRequest, places: Sequence[PlaceWithout]) -> None:
        super().__init__(request)
        self.places = places

    def rows(self) -> Source[PlaceWithout]:
        """See `List`."""
        return Lines(self.places, paged=True)


def _below(count: int) -> str:
    return ngettext("och {n} underorganisation", "och {n} underorganisationer", count).format(n=count)
