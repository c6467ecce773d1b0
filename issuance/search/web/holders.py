"""The list of an organisation's holders, as a page and as a file. URLs contain the filters, and no name or number."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.http import require_safe

from issuance.organisations.queries import places
from issuance.people.services import disclosures
from issuance.records.domain import wording
from issuance.records.web.frame import actor_of
from issuance.records.web.places import organisation_page
from issuance.search.queries import holders
from issuance.search.queries.holders import Choice, HolderLine, Holders
from siths_portal.lib.lists import Column, Empty, Kind, List, Order, Tag
from siths_portal.lib.pages.forms import Form
from siths_portal.lib.pages.status_words import WORDS, Noun

LONGEST = 1827
_HERE = "organisation_holders"
_STATUS = WORDS[Noun.EID]


class HoldersForm(Form):
    """Filters of the list."""

    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("Alla")), *((code, _(_STATUS[code])) for code in holders.STATUSES)],
        error_messages={"invalid_choice": _("Välj en status i listan.")},
    )
    kontor = forms.ChoiceField(
        label=_("Kontor"), required=False, error_messages={"invalid_choice": _("Välj ett kontor i listan.")}
    )
    inom = forms.IntegerField(
        label=_("Går ut inom (dagar)"),
        required=False,
        min_value=1,
        max_value=LONGEST,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), _("Ange ett antal dagar, 1 till %(most)d.") % {"most": LONGEST}
        ),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, offices: Sequence[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kontor"].choices = [("", _("Alla")), *offices]  # type: ignore[attr-defined]


def _person_url(line: HolderLine) -> str:
    return reverse("person", args=[line.person_id])


def _office(each: HolderLine) -> list[str]:
    """Returns the office, which stands below the organisation: a column of its own would make the table wider than the page."""
    return [each.office] if each.office else []


def _card(each: HolderLine) -> str:
    """Returns the card by its last digits: a person may have several. Empty for an eID that is not on a card."""
    return f"…{each.card_serial[-4:]}" if each.card_serial else ""


class HolderList(List[HolderLine]):
    """The holders of an organisation and of those below it. Records a disclosure before a page or file is sent."""

    counted_as = ngettext_lazy("{n} SITHS eID", "{n} SITHS eID")
    columns = (
        Column(
            key="namn", heading=_("Namn"), value="name", sort="name", link=lambda each: reverse("person", args=[each.person_id])
        ),
        Column(key="kort", heading=_("Kort"), value=_card, kind=Kind.NUMBER, css="nowrap", in_file=False, extra=True),
        Column(key="id", heading=_("HSA-id"), value="hsa_id", kind=Kind.NUMBER, css="whole", sort="hsa_id"),
        Column(key="organisation_kontor", heading=_("Organisation, kontor"), value="organisation", below=_office, in_file=False),
        Column(key="organisation", heading=_("Organisation"), on_page=False),
        Column(
            key="status",
            heading=_("Status"),
            kind=Kind.TAG,
            value=lambda each: Tag(each.status, wording.label(_STATUS, each.status)),
            file_value=lambda each: wording.label(_STATUS, each.status),
        ),
        Column(key="till", heading=_("Giltigt till"), value="last_day", kind=Kind.DAY, sort="valid_to"),
        # Files have the office in this position; programs that read them by position depend on it.
        Column(key="kontor_i_fil", heading=_("Kontor"), value="office", on_page=False),
        # In groups, so that a spreadsheet does not convert the number.
        Column(
            key="serienummer",
            heading=_("Kortserienummer"),
            value=lambda each: wording.card_serial(each.card_serial),
            on_page=False,
        ),
    )
    caption = _("Innehavare")
    caption_hidden = True
    table_id = "innehavare"
    css = "table-close"
    count_to = 0  # a tree may have half a million
    files = ("csv", "xlsx")
    empty = Empty(_("Ingen innehavare"), _("Ingen i organisationen eller under den har ett SITHS eID som du kan se."))
    no_match = Empty(_("Ingen innehavare"), _("Ingen inom din behörighet stämmer med urvalet."))

    def __init__(self, request: HttpRequest, organisation_id: UUID) -> None:
        """Raises NotFound, Forbidden."""
        super().__init__(request)
        self.actor = actor_of(request)
        # Checks that the actor may view the organisation's configuration; `Holders` selects the visible lines.
        self.head = places.organisation_head(actor=self.actor, organisation_id=organisation_id)
        self.file_name = f"innehavare {self.head.name}"

    def form(self) -> HoldersForm:
        """Returns the filter form; its offices are those of the area."""
        return HoldersForm(holders.offices(actor=self.actor, area_id=self.head.area.id), self.request.GET)

    def rows(self) -> Holders:
        """See `List`."""
        return Holders(self.actor, self.head.id, self.choice)

    @cached_property
    def choice(self) -> Choice:
        """Returns the chosen filters."""
        office = self.chosen.get("kontor")
        return Choice(self.chosen.get("status", ""), UUID(office) if office else None, self.chosen.get("inom"))

    def sortable(self) -> Collection[str]:
        """See `List`. The last day is sortable only if every row has one."""
        return self.choice.columns

    def default_order(self) -> Order:
        """See `List`."""
        return Order(self.choice.usual)

    def page_url(self) -> str:
        """See `List`."""
        return reverse(_HERE, args=[self.head.id])

    def note_page(self, lines: Sequence[HolderLine]) -> None:
        """See `List`."""
        shown = [line.person_id for line in lines]
        disclosures.record_holders(actor=self.actor, organisation_id=self.head.id, person_ids=shown, chosen=self.choice.facts)

    def note_file(self, kind: str, rows: int) -> None:
        """See `List`."""
        disclosures.record_holders_file(actor=self.actor, organisation_id=self.head.id, rows=rows, chosen=self.choice.facts)


@require_safe
def organisation_holders(request: HttpRequest, organisation_id: UUID) -> HttpResponseBase:
    """Shows the holders in an organisation and below it. Raises NotFound, Forbidden."""
    found = HolderList(request, organisation_id)
    return found.answer(
        lambda shown: organisation_page(
            request, "search/holders.html", found.head, {"list": shown, "form": shown.form}, here=_HERE, status=shown.status
        )
    )


@require_safe
def organisation_holders_csv(request: HttpRequest, organisation_id: UUID) -> HttpResponseBase:
    """Returns the complete list as a file, streamed while it is read. Raises NotFound, Forbidden."""
    return HolderList(request, organisation_id).file("csv")
