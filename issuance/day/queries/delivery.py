"""Leveranstid on Dagen: when a card arrives that the user orders today (rules/issuance 3.15)."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Actor
from issuance.orders.queries import delivery_times
from siths_portal.lib.pages.dates import weekday_in_words


@dataclass(frozen=True)
class Delivery:
    """The day of arrival in words; two if the suppliers differ. `half` says how that is known; empty if it is not measured."""

    first: str
    last: str
    half: str


def told(actor: Actor) -> Delivery | None:
    """Returns when a card arrives; None for an actor who orders none. One query."""
    span = delivery_times.span_of(actor)
    if span is None:
        return None
    last = weekday_in_words(span.last) if span.last != span.first else ""
    return Delivery(weekday_in_words(span.first), last, _half(*span.half) if span.half else "")


def _half(fewest: int, most: int) -> str:
    if fewest == most:
        text = ngettext(
            "Hälften av korten de senaste 30 dagarna skickades inom {n} arbetsdag.",
            "Hälften av korten de senaste 30 dagarna skickades inom {n} arbetsdagar.",
            most,
        ).format(n=most)
    else:
        text = _("Hälften av korten de senaste 30 dagarna skickades inom {fewest} till {most} arbetsdagar.")
        text = text.format(fewest=fewest, most=most)
    post = ngettext("Räkna med {n} dag i posten.", "Räkna med {n} dagar i posten.", settings.POST_WORKING_DAYS)
    return f"{text} {post.format(n=settings.POST_WORKING_DAYS)}"
