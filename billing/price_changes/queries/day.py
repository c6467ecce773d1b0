"""Requests for other prices that wait for a second finance administrator: their lines of Dagen."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.price_changes.queries.prices import waiting
from issuance.authz import Action, Actor, policy
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields a line for each request by somebody else."""
    if not policy.holds(actor, Action.MANAGE_BILLING):
        return
    for change, article, owner in waiting():
        if change.requested_by != actor.ref:
            yield Line(
                urgency=Urgency.THIS_WEEK,
                title=_("Nytt pris för {article} väntar på beslut").format(article=article),
                url=reverse("price_request", args=[change.pk]),
                text=_("{owner}, från och med {day}. En kollega har begärt det.").format(owner=owner, day=change.valid_from),
                icon="invoice",
                action=_("Granska begäran"),
            )
