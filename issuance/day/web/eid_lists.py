"""The lists of Dagen about eIDs: those that end soon, and those that wait for their holders to fetch them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from issuance.carriers.models import Eid
from issuance.day.queries import cards
from issuance.day.web.lists import CARD_END, NAME, ORGANISATION, WorkLine, WorkList, all_done, listed
from issuance.orders.models.eid_orders import EidOrder
from issuance.records.domain import wording
from siths_portal.lib.lists import Column, Key, Kind, Rows, Source


class EndingList(WorkList):
    """eIDs that end soon, the first on top."""

    counted_as = ngettext_lazy("{n} SITHS eID", "{n} SITHS eID")
    what = "ending"
    columns = (
        NAME,
        Column(key="id", heading=_("HSA-id"), value="hsa_id", kind=Kind.NUMBER, css="whole"),
        Column(key="till", heading=_("Giltigt till"), value="due", template="day/due.html", sort=Key("valid_to", nullable=False)),
        CARD_END,
        ORGANISATION,
    )
    caption = _("SITHS eID som slutar gälla")
    caption_hidden = True
    order = "till"
    empty = all_done(_("Inget SITHS eID slutar gälla"), _("Alla SITHS eID inom din behörighet gäller i mer än 30 dagar till."))

    def rows(self) -> Source[WorkLine]:
        """See `List`."""
        found = cards.ending(self.actor, cards.ending_until())
        related: Any = ("carrier__person", "organisation")
        return Rows(found.select_related(*related).defer("carrier__card_key_spki"), _ending_lines)


def _ending_lines(found: Sequence[Eid]) -> Sequence[WorkLine]:
    return [_eid_line(each, each.valid_to) for each in found]


class ToFetchList(WorkList):
    """Ordered eIDs that wait for their holders, those whose time ends first on top."""

    counted_as = ngettext_lazy("{n} SITHS eID", "{n} SITHS eID")
    what = "to_fetch"
    columns = (
        NAME,
        Column(key="id", heading=_("HSA-id"), value="hsa_id", kind=Kind.NUMBER, css="whole"),
        Column(
            key="senast", heading=_("Hämtas senast"), value="due", template="day/due.html", sort=Key("expires_at", nullable=False)
        ),
        CARD_END,
        ORGANISATION,
    )
    caption = _("SITHS eID som väntar på att hämtas")
    caption_hidden = True
    order = "senast"
    empty = all_done(_("Inget SITHS eID väntar på att hämtas"), _("Innehavarna har hämtat alla SITHS eID som är beställda."))

    def rows(self) -> Source[WorkLine]:
        """See `List`."""
        related: Any = ("carrier__person", "organisation")
        return Rows(cards.to_fetch(self.actor).select_related(*related).defer("carrier__card_key_spki"), _to_fetch_lines)


def _to_fetch_lines(found: Sequence[EidOrder]) -> Sequence[WorkLine]:
    return [_eid_line(each, each.expires_at) for each in found]


def _eid_line(found: Eid | EidOrder, end: dt.datetime | None) -> WorkLine:
    """Returns the line of an eID, or of the order of one, with its end."""
    return WorkLine(
        id=found.pk,
        person_id=found.carrier.holder_id,
        name=listed(found.carrier.holder),
        organisation=found.organisation.name,
        last=found.carrier.card_serial[-4:],
        hsa_id=found.hsa_id,
        due=wording.last_day(end),
    )
