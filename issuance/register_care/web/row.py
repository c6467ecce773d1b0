"""The page of a row of work: what is wrong, its act, the decisions of its list, and its history."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods

from issuance.authz import policy
from issuance.people.services import disclosures
from issuance.records.domain import wording
from issuance.records.web.frame import REGISTER_CARE, Crumb, actor_of, render_page
from issuance.register_care.domain.states import WorkState
from issuance.register_care.queries import row as query
from issuance.register_care.queries.row import WorkRow
from issuance.register_care.queries.work import View
from issuance.register_care.web.decisions import decide
from issuance.register_care.web.forms import DecisionForm
from issuance.register_care.web.lists import act_of, cause_of, name_of
from siths_portal.lib.pages.error_pages import with_retry_after

_STATE = {
    WorkState.OPEN: lazy("Öppen"),
    WorkState.POSTPONED: lazy("Uppskjuten"),
    WorkState.DONE: lazy("Avslutad"),
    WorkState.GONE: lazy("Orsaken finns inte längre"),
}


_VIEW = {WorkState.POSTPONED: View.POSTPONED, WorkState.DONE: View.DONE}
"""The view of the list in which a row is that is not open."""


@require_http_methods(["GET", "HEAD", "POST"])
def work_item(request: HttpRequest, item_id: UUID) -> HttpResponse:
    """Shows a row with its history; a post decides about it as its list does. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    row, status = query.work_row(actor=actor, item_id=item_id), 200
    line = row.line
    about: dict[str, Any] = {"kind": line.kind, "view": _VIEW.get(WorkState(row.state), View.ALL), "one": True}
    form = DecisionForm(**about)
    if request.method == "POST":
        form = DecisionForm(request.POST, **about)
        told, status = decide(actor, form, [item_id])
        if told:
            messages.success(request, told)
            return redirect("work_item", item_id)
    if line.ids["person_id"]:
        disclosures.record_work(actor=actor, what=line.kind.code, person_ids=[line.ids["person_id"]])
    text, url = act_of([act for act in line.kind.acts if policy.holds(actor, act.right)], line)
    list_url = reverse("register_care_list", args=[line.kind.slug])
    context = {
        "lead": _(line.kind.lead),
        "rows": list(_facts(row)),
        "events": row.events,
        "act": text,
        "act_url": url if row.state != WorkState.GONE else "",
        "list_url": list_url,
        "form": form,
        "is_over": row.state == WorkState.GONE,
    }
    crumbs = [Crumb(_(line.kind.name), list_url), Crumb(_("Raden"))]
    heading = _(line.kind.heading)
    page = render_page(request, REGISTER_CARE, "register_care/row.html", context, heading=heading, crumbs=crumbs, status=status)
    return with_retry_after(page, form.retry_after)


def _facts(row: WorkRow) -> Iterator[dict[str, Any]]:
    """Yields what the row tells, without what it has not."""
    line, person_id = row.line, row.line.ids["person_id"]
    link = {"url": reverse("person", args=[person_id]), "action": _("Visa")} if person_id else {}
    yield {"label": _("Person") if person_id else _("Organisation"), "value": name_of(line), **link}
    state = f"{_STATE[WorkState(row.state)]}" + (f", {_('visas igen {day}').format(day=line.until)}" if line.until else "")
    facts = (
        (_("Person-id"), line.number),
        (_("Organisation"), line.organisation if person_id else ""),
        (_("Orsak"), cause_of(line)),
        (_("Kort slutar på"), line.last),
        (_("Kontor"), line.office),
        (_("Spärras efter") if line.kind.revokes else _("Senast"), str(line.due)),
        (_("Ansvarig"), line.responsible or _("Ingen")),
        (_("Status"), state),
        (_("Skäl"), line.reason),
        (_("Hittades"), str(wording.day(row.found_at))),
    )
    yield from ({"label": label, "value": value} for label, value in facts if value)
