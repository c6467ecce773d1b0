"""Where a blocked customer is repaired. Pages that a package does not have yet are left out, so no link is dead."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from billing.records.web.came_from import with_way_back
from billing.runs.models import Reason

_PRICE = "price-missing"
_ATTESTANT = "customer-pending"
_REFERENCES = frozenset({"PEPPOL-EN16931-R003", "customer-reference-form"})
_OFFICE = "office-missing"
_MISSING = "customer-missing"


@dataclass(frozen=True)
class Repair:
    """A link to the page that repairs a blocked customer."""

    url: str
    text: str


def repair(party_id: UUID, name: str, reasons: Iterable[Reason], *, came_from: str, may_view_organisation: bool) -> Repair | None:
    """Returns where what blocks the customer is repaired: the prices, the customer, else the organisation.

    The customer's pages lead back to `came_from` (see `with_way_back`). A party whose name nobody knows is no customer and is
    not directly connected, so it has no page.
    """
    if name == str(party_id):
        return None
    rules = {reason.rule for reason in reasons}
    if _PRICE in rules and (url := _url("prices")):
        return Repair(url, _("Sätt pris"))
    if rules == {_PRICE}:
        return None
    if not _REFERENCES.isdisjoint(rules) and (url := _url("customer_edit", party_id)):
        return Repair(with_way_back(url, came_from), _("Ange referens"))
    if _MISSING in rules and (url := _url("customer_edit", party_id)):
        return Repair(with_way_back(url, came_from), _("Registrera kunden"))
    if _OFFICE not in rules and (url := customer_url(party_id, came_from)):
        return Repair(url, _("Visa attesten") if _ATTESTANT in rules else _("Rätta uppgifterna"))
    if may_view_organisation and (url := _url("organisation", party_id)):
        return Repair(url, _("Visa organisationen"))
    return None


def customer_url(party_id: UUID, came_from: str) -> str:
    """Returns the URL of the customer's page with its link back, or "" if there is no such page."""
    url = _url("customer", party_id)
    return with_way_back(url, came_from) if url else ""


def _url(name: str, *arguments: Any) -> str:
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""
