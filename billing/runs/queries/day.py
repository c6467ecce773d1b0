"""What waits for finance administrators: their lines of Dagen."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, RunState
from billing.runs.queries.running import overview
from issuance.authz import Action, Actor, policy
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields the customers that cannot be invoiced, and the month whose invoices wait for review."""
    if not policy.holds(actor, Action.MANAGE_BILLING):
        return
    run = InvoiceRun.objects.exclude(state=RunState.ISSUED).order_by("period").first()
    month = Month.of_day(run.period) if run else None
    if count := len(overview(actor).stopped):
        text = (
            _("Fakturorna för {month} kan inte släppas förrän det är rättat.") if run else _("Rätta det före månadens körning.")
        )
        yield Line(
            # A month that is being invoiced waits for them.
            urgency=Urgency.TODAY if run else Urgency.THIS_WEEK,
            title=ngettext("{n} kund kan inte faktureras", "{n} kunder kan inte faktureras", count).format(n=count),
            url=reverse("invoices_running"),
            text=text.format(month=month),
            icon="warning",
            action=_("Visa vilka"),
        )
    if run and run.state == RunState.REVIEW:
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=_("Fakturorna för {month} väntar på granskning").format(month=month),
            url=reverse("invoices"),
            text=_("En person släpper fakturorna, och en annan godkänner dem."),
            icon="invoice",
            action=_("Visa fakturorna"),
        )
