"""The page of the running month."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.documents.web.counted import CountedList, link_to_counted
from billing.documents.web.figures import figures
from billing.documents.web.lines import LineList, line_groups
from billing.records.domain.periods import Month
from billing.records.web.came_from import RUNNING
from billing.records.web.forms import CustomerForm
from billing.records.web.page import actor_of, page
from billing.runs.queries.running import Overview, Running, Stopped, counted_now, overview, running
from billing.runs.web.repair import Repair, customer_url
from issuance.authz import Action, policy
from siths_portal.lib import clock


@require_safe
def running_month(request: HttpRequest) -> HttpResponseBase:
    """Shows who cannot be invoiced, and a customer's invoice as it would be if the month ended now, marked as preliminary."""
    seen = overview(actor_of(request))
    form = CustomerForm(request.GET, seen.customers, empty_label=_("Välj kund"))
    valid = form.is_valid()
    month = running(seen.customers, form.party_id) if valid else None
    content = month and month.preview.content
    context = {
        "form": form,
        "may_choose": not valid or len(seen.customers) != 1,
        "no_customers": valid and not seen.customers,
        "running": month,
        "stopped": _stopped(request, seen, month),
        "reasons": _reasons(seen, month),
        "repair": _repair(request, month.preview.party_id) if month else None,
        "repairs_customers": policy.holds(actor_of(request), Action.MANAGE_BILLING),
        "content": content,
    }
    draw = partial(page, request, "billing/running_month.html", here="invoices_running", status=200 if valid else 422)
    if not month or not content:
        return draw(context)
    before = month.before.net if month.before else None
    context["figures"] = figures(content, (content.totals.net, _("kronor exkl. moms hittills")), before)
    fixed = [("kund", str(form.party_id))] if form.party_id else []
    party_id = month.preview.party_id
    link = link_to_counted(
        Month.of(clock.now()), lambda organisation_id: reverse("invoices_running_counted", args=[party_id, organisation_id])
    )
    lines = LineList(request, content.lines, _("fakturarader löpande månad"), link=link, fixed=fixed)
    return lines.answer(lambda shown: draw({**context, "list": shown, "line_groups": line_groups(shown)}))


@require_safe
def running_counted(request: HttpRequest, party_id: UUID, organisation_id: UUID) -> HttpResponseBase:
    """Lists the eIDs that a subscription of the running month counts, if the month ended now. Raises NotFound, Forbidden."""
    counted = counted_now(actor_of(request), party_id, organisation_id)
    listed = CountedList(request, counted, {"month": Month.of(counted.at).code()})
    return listed.answer(
        lambda shown: page(request, "billing/running_counted.html", {**listed.context(shown), "party_id": party_id})
    )


def _repair(request: HttpRequest, party_id: UUID) -> Repair | None:
    """Returns where the actor repairs a party: finance on the customer's page, which says what is missing.

    For others it is the organisation's page, which lists what a customer lacks and whose task it is. Returns None for an actor
    who opens neither.
    """
    actor = actor_of(request)
    if policy.holds(actor, Action.MANAGE_BILLING):
        return Repair(customer_url(party_id, RUNNING), _("Visa kunden"))
    if policy.holds(actor, Action.VIEW_CONFIGURATION):
        return Repair(reverse("organisation", args=[party_id]), _("Visa organisationen"))
    return None


def _stopped(request: HttpRequest, seen: Overview, month: Running | None) -> list[dict[str, Any]]:
    """Returns rows of the parties that cannot be invoiced, without the one that the page shows."""

    def row(each: Stopped) -> dict[str, Any]:
        found: dict[str, Any] = {"title": each.name, "text": " ".join(each.reasons), "icon": "warning", "color": "urgent"}
        if each.is_customer:
            found |= {"action": _("Visa månaden"), "url": f"{reverse('invoices_running')}?kund={each.party_id}"}
        elif place := _repair(request, each.party_id):
            found |= {"action": place.text, "url": place.url}
        return found

    return [row(each) for each in seen.stopped if not month or each.party_id != month.preview.party_id]


def _reasons(seen: Overview, month: Running | None) -> list[str]:
    """Returns why the customer that the page shows cannot be invoiced. A preview that is blocked knows best."""
    if month is None:
        return []
    if month.preview.blocked:
        return [message for _rule, message in month.preview.blocked]
    known = next((each.reasons for each in seen.stopped if each.party_id == month.preview.party_id), ())
    return list(dict.fromkeys((*month.obstacles, *known)))
