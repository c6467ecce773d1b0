"""The list of the eIDs behind a subscription: references for everybody who reads the invoice, names by the right to issue."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext_lazy

from billing.documents.domain.invoices import LineContent
from billing.documents.queries import counted as queries
from billing.documents.queries.counted import Counted, CountedEid
from billing.records.domain.periods import Month
from billing.records.web.page import actor_of
from issuance import service as issuance
from siths_portal.lib.lists import Column, Empty, List, Shown, Source

_NAMES = ("vilka", "ja")
_REFERENCE = Column[CountedEid](key="referens", heading=_lazy("Referens"), value="reference", css="code", in_file=False)
_EID = Column[CountedEid](key="eid", heading=_lazy("SITHS eID"), value="eid_id", on_page=False)
_CARRIER = Column[CountedEid](key="kort", heading=_lazy("Kort"), value="carrier")
# Last in files, because programs read them by position.
_REFERENCE_IN_FILE = Column[CountedEid](key="referens_i_fil", heading=_lazy("Referens"), value="reference", on_page=False)


def _of_holder(name: str) -> Any:
    return lambda line: getattr(line.holder, name) if line.holder else ""


_HOLDER = (
    Column[CountedEid](
        key="namn",
        heading=_lazy("Namn"),
        value=_of_holder("name"),
        link=lambda line: reverse("person", args=[line.holder.person_id]) if line.holder else "",
        css="name",
    ),
    Column[CountedEid](key="id", heading=_lazy("Tjänste-id"), value=_of_holder("hsa_id"), css="whole"),
    Column[CountedEid](key="organisation", heading=_lazy("Organisation"), value=_of_holder("organisation")),
)


def link_to_counted(month: Month, url: Callable[[UUID], str]) -> Callable[[LineContent], str]:
    """Returns the link of a line: `url` of its organisation if the line is a subscription of `month`, otherwise ""."""

    def link(line: LineContent) -> str:
        counts = line.declaration.counts_persons and line.period == month
        return url(line.organisation_id) if counts and line.organisation_id else ""

    return link


class CountedList(List[CountedEid]):
    """The counted eIDs. With `?vilka=ja` also their holders: each showing is an event, and needs the right to issue there.

    `chosen` says in that event what lists the holders, for example an invoice's line.
    """

    counted_as = ngettext_lazy("{n} SITHS eID", "{n} SITHS eID")
    caption = _lazy("Räknade SITHS eID")
    caption_hidden = True
    table_id = "raknade"
    count_to = 0  # the page shows the number as the quantity
    files = ("csv", "xlsx")
    file_name = _lazy("räknade SITHS eID")
    empty = Empty(_lazy("Inget SITHS eID räknades"))

    def __init__(self, request: HttpRequest, counted: Counted, chosen: Mapping[str, Any]) -> None:
        """Raises NotFound or Forbidden if the user asks for names and may not issue in the organisation."""
        super().__init__(request)
        self.actor, self.counted, self.facts = actor_of(request), counted, chosen
        name, value = _NAMES
        self.named = request.GET.get(name) == value
        if self.named:
            issuance.require_naming_holders(self.actor, counted.organisation_id)
        self.columns = (*(_HOLDER if self.named else ()), _REFERENCE, _EID, _CARRIER, _REFERENCE_IN_FILE)

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return [_NAMES] if self.named else []

    def rows(self) -> Source[CountedEid]:
        """See `List`."""
        return queries.lines(self.actor, self.counted, named=self.named)

    def note_page(self, lines: Sequence[CountedEid]) -> None:
        """See `List`."""
        holders = [line.holder for line in lines if line.holder]
        if holders:
            issuance.record_named_holders(self.actor, self.counted.organisation_id, holders, self.facts)

    def note_file(self, kind: str, rows: int) -> None:
        """See `List`."""
        if self.named:
            issuance.record_named_holders_file(self.actor, self.counted.organisation_id, rows, self.facts)

    @property
    def switch(self) -> dict[str, str] | None:
        """The link that shows or hides the names, or None for a user who may not see them."""
        if self.named:
            return {"url": self.page_url(), "text": _("Visa utan namn")}
        if not issuance.may_name_holders(self.actor, self.counted.organisation_id):
            return None
        return {"url": f"{self.page_url()}?{_NAMES[0]}={_NAMES[1]}", "text": _("Visa vilka")}

    def context(self, shown: Shown[CountedEid]) -> dict[str, Any]:
        """Returns the values of `billing/counted.html`."""
        return {"list": shown, "counted": self.counted, "named": self.named, "switch": self.switch}
