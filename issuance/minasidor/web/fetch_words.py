"""What the pages call the fetch of an ordered eID: a new one, a renewal, or an extension on a reserve card."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from issuance.minasidor.domain import MyFunction
from issuance.minasidor.queries.own_orders import OwnOrder


@dataclass(frozen=True)
class FetchWords:
    """The title of the browser's tab, the heading of page and task, and the button."""

    title: str
    heading: str
    action: str


_NEW = (gettext_noop("Hämta SITHS eID"), gettext_noop("Hämta ditt SITHS eID för {organisation}"), gettext_noop("Hämta"))
_RENEWAL = (gettext_noop("Förnya SITHS eID"), gettext_noop("Förnya ditt SITHS eID för {organisation}"), gettext_noop("Förnya"))
_EXTENSION = (
    gettext_noop("Förläng SITHS eID"),
    gettext_noop("Förläng ditt SITHS eID för {organisation}"),
    gettext_noop("Förläng"),
)


def words_of(order: OwnOrder) -> FetchWords:
    """Returns the words of an order, in the language of the page."""
    is_extension = order.function is MyFunction.EXTEND_RESERVE_CARD
    title, heading, action = _EXTENSION if is_extension else _RENEWAL if order.renews else _NEW
    return FetchWords(_(title), _(heading).format(organisation=order.organisation), _(action))
