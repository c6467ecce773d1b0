"""What waits for finance administrators: their lines of Dagen."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.invoices.services import series
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, RunApproval, RunState
from billing.runs.queries.running import overview
from billing.runs.services import schedule
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields the customers that cannot be invoiced, and the month whose invoices wait for this person."""
    if not policy.holds(actor, Action.MANAGE_BILLING):
        return
    run = InvoiceRun.objects.exclude(state=RunState.ISSUED).order_by("period").first()
    month = Month.of_day(run.period) if run else None
    if count := len(overview(actor).stopped):
        text = _("De andra kunderna faktureras för {month} utan att vänta.") if run else _("Rätta det före månadens körning.")
        yield Line(
            # A month that is being invoiced waits for them.
            urgency=Urgency.TODAY if run else Urgency.THIS_WEEK,
            title=ngettext("{n} kund kan inte faktureras", "{n} kunder kan inte faktureras", count).format(n=count),
            url=reverse("invoice_run", args=[month]) if run else reverse("invoices_running"),
            text=text.format(month=month),
            icon="warning",
            action=_("Visa vilka"),
        )
    if run and month and (line := _run_line(actor, run, month)):
        yield line


def _run_line(actor: Actor, run: InvoiceRun, month: Month) -> Line | None:
    """Returns what the month waits for, if it is this person's turn or if its drafts are late."""
    url = reverse("invoice_run", args=[month])
    if run.state == RunState.REVIEW:
        return Line(
            urgency=Urgency.THIS_WEEK,
            title=_("Fakturorna för {month} väntar på granskning").format(month=month),
            url=url,
            text=_("En person släpper fakturorna, och en annan godkänner dem."),
            icon="invoice",
            action=_("Granska månaden"),
        )
    if run.state == RunState.RELEASED:
        released = RunApproval.objects.filter(run=run).order_by("-released_at").first()
        if released is None or released.released_by == actor.ref:
            return None
        return Line(
            urgency=Urgency.TODAY,
            title=_("Fakturorna för {month} väntar på att godkännas").format(month=month),
            url=url,
            text=_("En annan person har granskat och släppt dem."),
            icon="invoice",
            action=_("Granska månaden"),
        )
    if run.state == RunState.APPROVED and (stop := series.stop()):
        return Line(
            urgency=Urgency.TODAY,
            title=_("Fakturorna för {month} får inga nummer").format(month=month),
            url=url,
            text=_("Nummerseriens senaste faktura har datum {day}, efter dagens datum.").format(day=stop.last_date.isoformat()),
            icon="warning",
            action=_("Visa vad du gör"),
        )
    if run.state == RunState.OPEN and clock.now() - schedule.due_at(month) > schedule.LATE:
        return Line(
            urgency=Urgency.TODAY,
            title=_("Utkasten för {month} är försenade").format(month=month),
            url=url,
            text=_("De skulle ha gjorts den andra kl. 06:00. Drift undersöker varför."),
            icon="warning",
            action=_("Visa månaden"),
        )
    return None
