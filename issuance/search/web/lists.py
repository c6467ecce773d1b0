"""The list of a search's hits. It has no file: a search shows few persons, and searches are limited and watched (S14)."""

from collections.abc import Mapping
from dataclasses import replace

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from issuance.authz import Action, Actor, policy
from issuance.records.domain import wording
from issuance.search.domain.search_terms import TermKind
from issuance.search.models import Search
from issuance.search.services import catalogue_searching, searching
from issuance.search.services.searching import BY_NAME, Hit
from siths_portal.lib.lists import Column, Empty, Kind, List, Source

_HEADING_ID = "traffar"
_NOBODY: Mapping[str, tuple[Promise, Promise]] = {
    TermKind.PERSON_ID: (
        _("Ingen person med person-id {value}"),
        _(
            "Den sista siffran stämmer med de andra, men ingen person inom din behörighet har numret. Kontrollera det mot "
            "id-handlingen, eller sök med tjänste-id eller kortserienummer."
        ),
    ),
    TermKind.HSA_ID: (
        _("Inget tjänste-id slutar på {value}"),
        _("Ingen person inom din behörighet har ett tjänste-id med det slutet. Kontrollera tecknen, eller sök med person-id."),
    ),
    TermKind.CARD_SERIAL: (
        _("Inget kort med serienumret som slutar på {last}"),
        _("Inget kort inom din behörighet har det serienumret. Kontrollera siffrorna, eller sök med person-id."),
    ),
    TermKind.ORDER_ID: (
        _("Ingen beställning med det id:t"),
        _("Ingen beställning inom din behörighet har det beställnings-id:t. Kontrollera tecknen, eller sök med person-id."),
    ),
    TermKind.NAME: (
        _("Ingen person med det namnet"),
        _(
            "Ingen person inom din behörighet heter så eller har ett tjänste-id med det slutet. Kontrollera stavningen, eller "
            "sök med person-id."
        ),
    ),
}
"""Heading and text for a search without a hit, by its kind: what was searched for, then the reason and the next step."""

_TOO_MANY: Mapping[bool, Promise] = {
    True: _(
        "Fler personer än som visas heter så. Skriv mer av namnet, eller sök med person-id, tjänste-id eller kortserienummer."
    ),
    False: _(
        "Fler personer än som visas har ett tjänste-id med det slutet. Skriv fler tecken av tjänste-id:t, eller sök med "
        "person-id eller kortserienummer."
    ),
}
"""Texts for too many hits; the key is True for a search by name."""

_PROTECTED = _("Personer med skyddade personuppgifter visas bara för rollinnehavare med Sekretess. Fråga en kollega som har det.")
_STOCK = _("Är det ett reservkort i lager? Skanna det på kontorets sida under Reservkort.")
_EXTEND = _("Hör personen till en annan organisation? Sök utanför din behörighet med Utökat sökomfång och skriv ett skäl.")
_EXTENDED = _("Sök utanför din behörighet")
WIDER = "utokat"
"""The parameter of the hits' address that proposes the wider search."""

_ASKED = _("Portalen frågade också HSA-katalogen, som inte har någon sådan person inom din behörighet.")
_MAY_ASK = _(
    "Är uppdraget nytt? Sök på hela person-id:t eller hela tjänste-id:t, så hämtar portalen personen från HSA-katalogen."
)
_MAY_NOT_ASK = _(
    "Är uppdraget nytt? Personen syns här när portalen har läst in HSA-katalogen. Har du bråttom kan din utgivare söka på hela "
    "person-id:t under Lägg till roller."
)


def _hsa_ids(hit: Hit) -> str:
    return format_html_join("", '<span class="number hsa-id">{}</span>', ((hsa_id,) for hsa_id in hit.hsa_ids))


class HitList(List[Hit]):
    """The hits of a search of the actor's own session."""

    counted_as = ngettext_lazy("{n} träff", "{n} träffar")
    columns = (
        Column(
            key="namn",
            heading=_("Namn"),
            value="name",
            link=lambda hit: reverse("person", args=[hit.person_id]),
            sort=BY_NAME,
        ),
        Column(
            key="person",
            heading=_("Person-id"),
            value=lambda hit: wording.person_number(hit.number_kind, hit.number),
            kind=Kind.NUMBER,
            css="moment",
        ),
        Column(key="uppdrag", heading=_("Tjänste-id"), value=_hsa_ids),
    )
    table_id = _HEADING_ID
    order = "namn"
    page_size = 20
    count_in_heading = True

    def __init__(self, request: HttpRequest, actor: Actor, search: Search) -> None:
        super().__init__(request)
        self.actor, self.search = actor, search
        self.found = searching.hits(actor=actor, search=search)

    def rows(self) -> Source[Hit]:
        """See `List`."""
        return self.found.rows

    def nothing(self, *, past_end: bool) -> Empty | None:
        """See `List`. The search field refers to the heading."""
        found = super().nothing(past_end=past_end) if past_end else self._nobody()
        return replace(found, heading_id=_HEADING_ID) if found else None

    def _nobody(self) -> Empty:
        if self.found.too_many:
            return Empty(_("För många träffar"), _TOO_MANY[self.search.kind == TermKind.NAME])
        asked = catalogue_searching.queries_directory(self.actor, self.search, Action.ORDER_ORDINARY_CARD)
        may_ask = policy.holds(self.actor, Action.ORDER_ORDINARY_CARD)
        catalogue = _ASKED if asked else _MAY_ASK if may_ask else _MAY_NOT_ASK
        wider = searching.may_extend(self.actor) and not self.search.extended
        named, text = _NOBODY[self.search.kind]
        heading = str(named).format(value=written(self.search), last=self.search.value[-4:])
        if self.search.kind == TermKind.CARD_SERIAL:
            more = [_STOCK] if policy.holds(self.actor, Action.KEEP_STOCK) else []
        else:
            more = [catalogue] if policy.reach_of_protected(self.actor, Action.VIEW) else [catalogue, _PROTECTED]
        found = Empty(heading, text, more=[*more, _EXTEND] if wider else more)
        return replace(found, action_url=f"?{WIDER}=1#id_reason", action_text=_EXTENDED) if wider else found


def written(search: Search) -> str:
    """Returns the value of a search in its written form, for correction in the field."""
    if search.kind == TermKind.PERSON_ID:
        return f"{search.value[:8]}-{search.value[8:]}"
    return wording.card_serial(search.value) if search.kind == TermKind.CARD_SERIAL else search.value
