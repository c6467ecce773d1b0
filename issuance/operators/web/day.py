"""What waits for PKI operators: their lines of Dagen."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.operators.services import approvals
from issuance.operators.web import health
from pki.ceremonies import open_proposals
from pki.operators.approvals import waiting_approvals
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields what is wrong, the approval requests that the actor may decide, and the ceremonies that lack signatures."""
    if not policy.holds(actor, Action.VIEW_PKI):
        return
    if wrong := health.headline(actor):
        yield Line(
            urgency=Urgency.TODAY,
            title=_("Driftläget behöver ses över"),
            url=reverse("pki_health"),
            text=wrong,
            icon="warning",
            action=_("Visa driftläget"),
        )
    if count := sum(not approvals.refusal(actor, request) for request in waiting_approvals()):
        yield Line(
            urgency=Urgency.TODAY,
            title=ngettext("{n} ärende väntar på ditt beslut", "{n} ärenden väntar på ditt beslut", count).format(n=count),
            url=reverse("pki_approvals"),
            text=_("En annan person har begärt ändringen. Den görs först när två har godkänt."),
            icon="people",
            action=_("Visa ärendena"),
        )
    if count := sum(not proposal.is_signed for proposal in open_proposals()):
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=ngettext("{n} ceremoni väntar på underskrifter", "{n} ceremonier väntar på underskrifter", count).format(
                n=count
            ),
            url=reverse("pki_ceremonies"),
            text=_("Godkännarna skriver under ceremonifilen innan ceremonin kan genomföras."),
            icon="key",
            action=_("Visa ceremonierna"),
        )
