"""The list of an organisation's holders, as a page and as a file. Addresses tell what is chosen, no name and no number."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from issuance.administration.web.frames import organisation_page
from issuance.organisations.queries import places
from issuance.organisations.queries.places import OrganisationHead
from issuance.people.services import disclosures
from issuance.records.queries import paging, words
from issuance.records.queries.paging import Order
from issuance.records.web.administration_frame import Column, actor_of, cursor
from issuance.search.queries import holders
from issuance.search.queries.holders import Choice, HolderLine
from siths_portal.lib import clock, csv_files
from siths_portal.lib.downloads import streamed_attachment
from siths_portal.lib.errors import Invalid
from siths_portal.lib.forms import Form

LONGEST = 1827
_HERE = "organisation_holders"


class HoldersForm(Form):
    """Which holders are shown."""

    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("Alla")), *((code, _(words.STATE[code])) for code in holders.STATUSES)],
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

    @property
    def choice(self) -> Choice:
        """What was chosen, once the form is valid."""
        given = self.cleaned_data
        return Choice(given["status"], UUID(given["kontor"]) if given["kontor"] else None, given["inom"])


@require_safe
def organisation_holders(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """The holders in an organisation and below it. That they are shown is noted before. Raises NotFound, Forbidden."""
    head, form = _asked(request, organisation_id)
    if not form.is_valid():
        return organisation_page(request, _TEMPLATE, head, {"form": form}, here=_HERE, status=Invalid.http_status)
    actor, choice = actor_of(request), form.choice
    order = paging.order_of(request.GET.get("ordning", ""), choice.columns, choice.usual)
    after = cursor(request)
    found = holders.holders(actor=actor, organisation_id=head.id, choice=choice, order=order, after=after)
    if found.rows:
        shown = [row.person_id for row in found.rows]
        disclosures.record_holders(actor=actor, organisation_id=head.id, person_ids=shown, chosen=choice.facts)
    context = {
        "form": form,
        "rows": found.rows,
        "columns": list(_columns(request, form, order)),
        "narrowed": bool(choice.facts),
        "next_url": _address(request.path, form, ordning=order.text, efter=found.after) if found.after else "",
        "first_url": _address(request.path, form, ordning=order.text) if after else "",
        "file_url": _address(reverse("organisation_holders_csv", args=[head.id]), form, ordning=order.text),
    }
    return organisation_page(request, _TEMPLATE, head, context, here=_HERE)


_TEMPLATE = "search/holders.html"


@require_safe
def organisation_holders_csv(request: HttpRequest, organisation_id: UUID) -> HttpResponseBase:
    """The same list whole, as a file that is made while it is sent. Raises NotFound, Forbidden."""
    head, form = _asked(request, organisation_id)
    if not form.is_valid():
        return redirect(f"{reverse(_HERE, args=[head.id])}?{request.GET.urlencode()}")
    actor, choice = actor_of(request), form.choice
    order = paging.order_of(request.GET.get("ordning", ""), choice.columns, choice.usual)
    rows = holders.every(actor=actor, organisation_id=head.id, choice=choice, order=order)
    total = holders.count(actor=actor, organisation_id=head.id, choice=choice)
    disclosures.record_holders_file(actor=actor, organisation_id=head.id, rows=total, chosen=choice.facts)
    heads = ("Namn", "HSA-id", "Organisation", "Status", "Giltig till", "Kontor", "Kortserienummer")
    return streamed_attachment(
        csv_files.stream([gettext(each) for each in heads], _cells(rows)),
        media_type="text/csv; charset=utf-8",
        filename=f"innehavare {head.name} {clock.today()}.csv",
    )


def _asked(request: HttpRequest, organisation_id: UUID) -> tuple[OrganisationHead, HoldersForm]:
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    return head, HoldersForm(holders.offices(actor=actor, area_id=head.area.id), request.GET)


def _cells(rows: Iterable[HolderLine]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        serial = words.card_serial(row.card_serial)  # in groups, so that a spreadsheet leaves it as it is
        status, last = words.said(words.STATE, row.status), str(row.last_day or "")
        yield (row.name, row.hsa_id, row.organisation, status, last, row.office, serial)


def _columns(request: HttpRequest, form: HoldersForm, order: Order) -> Iterator[Column]:
    """Headings of the list; a click keeps what is chosen, and turns the present order round."""
    headings = (("namn", _("Namn")), ("id", _("HSA-id")), ("", _("Organisation")), ("", _("Kontor")), ("", _("Status")))
    for key, text in (*headings, ("till", _("Giltig till"))):
        here = key == order.key
        sortable = key in form.choice.columns
        turned = Order(key, here and not order.descending)
        state = ("descending" if order.descending else "ascending") if here else ""
        yield Column(str(text), _address(request.path, form, ordning=turned.text) if sortable else "", state)


def _address(path: str, form: HoldersForm, **more: object) -> str:
    given = {name: form.cleaned_data[name] for name in ("status", "kontor", "inom")} | more
    return f"{path}?{urlencode({name: value for name, value in given.items() if value})}"
