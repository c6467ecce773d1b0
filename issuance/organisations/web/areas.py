"""Pages of issuing areas (rules/issuance 7.2)."""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from issuance.administration.queries import next_steps
from issuance.authz import Action, policy
from issuance.organisations.queries import areas, ending, places
from issuance.organisations.queries.areas import is_empty_area
from issuance.organisations.queries.places import AreaHead
from issuance.organisations.services.areas import create_area, edit_area, remove_area
from issuance.organisations.web.forms import AreaForm
from issuance.organisations.web.lists import AreaOrganisationList, OfficeList
from issuance.records.web.editing import at_first_field, initial, submitted_form
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, actor_of, demand, render_page
from issuance.records.web.places import area_page
from issuance.records.web.values import row
from siths_portal.lib.errors import Conflict
from siths_portal.lib.lists import Empty

_FORM = "components/form.html"
_READY = gettext_lazy("Inget saknas: kort kan beställas i alla områdets organisationer.")
_NO_OFFICE = Empty(
    gettext_lazy("Inget kontor än"),
    gettext_lazy("Här visas alla kontor inom utgivningsområdet. Ett kontor väljs vid varje beställning och styr fakturaraden."),
)


@require_safe
def area(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Shows an area with its organisations and offices. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head, facts = areas.area_with_head(actor=actor, area_id=area_id)
    below = areas.counts_below(actor=actor, area_id=area_id)
    found = AreaOrganisationList(request, area_id, below).shown()
    offices = OfficeList(request, areas.offices_in(actor=actor, area_id=area_id), _NO_OFFICE).shown()
    issuer = facts.issuing_organisation_id
    outline = areas.AreaOutline(
        facts.issuing_organisation_id, bool(facts.responsible_issuers), bool(found.lines), bool(offices.lines)
    )
    steps = list(next_steps.of_area(actor, head, outline))
    arranged = next_steps.arranged(steps)
    sets_up = next_steps.sets_up(head)
    ready = not steps and found.lines and sets_up
    context = {
        "lead": arranged.lead or (_READY if ready else "" if sets_up else _lacks(facts)),
        "arranged": arranged,
        "edit_url": reverse("area_edit", args=[area_id]) if Action.CREATE_ORGANISATION in head.rights else "",
        "facts": [
            row(_("Namn på utgivningsområde"), facts.name),
            row(
                _("Utgivande organisation"),
                facts.issuing_organisation,
                url=reverse("organisation", args=[issuer]) if issuer else "",
                action=_("Visa"),
            ),
            row(_("Fakturareferens"), facts.invoice_reference),
        ],
        "steps": steps,
        "left_to": next_steps.left_to(steps),
        "issuers": facts.responsible_issuers,
        "resting_issuers": facts.resting_issuers,
        "coming_issuers": facts.coming_issuers,
        "head": head,
        "organisations": found.lines,
        "list": found,
        "below": _count_below(sum(count for parent, count in below.items() if parent)),
        "ended": ending.ended_in(actor=actor, area_id=area_id),
        "offices": offices,
    }
    is_empty = not found.lines and not offices.lines
    remove = Link(_("Ta bort utgivningsområdet"), reverse("area_remove", args=[area_id]))
    removing = [remove] if is_empty and _is_removable(head) else []
    return area_page(request, "organisations/area.html", head, context, here="area", configuration=removing)


def _lacks(facts: areas.AreaFacts) -> str:
    """Returns what the area itself lacks, for a reader who does not set it up."""
    lacks = []
    if not facts.issuing_organisation_id:
        lacks.append(
            _("Området har ingen utgivande organisation, så kort kan inte beställas. SITHS-förvaltningen väljer organisationen.")
        )
    if not facts.responsible_issuers:
        lacks.append(_("Området har ingen ansvarig utgivare. SITHS-förvaltningen utser en."))
    return " ".join(lacks)


def _count_below(count: int) -> str:
    if not count:
        return ""
    text = ngettext("I området finns {n} underorganisation.", "I området finns {n} underorganisationer.", count)
    return text.format(n=count)


@require_http_methods(["GET", "HEAD", "POST"])
def area_new(request: HttpRequest) -> HttpResponse:
    """Creates an area. Raises Forbidden."""
    actor = actor_of(request)
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    form, made, status = submitted_form(
        request,
        AreaForm,
        lambda given: create_area(actor=actor, name=given["name"], invoice_reference=given["invoice_reference"]),
    )
    if made is not None:
        messages.success(request, _("Utgivningsområdet är skapat. Skapa nu den organisation som är utgivande."))
        return redirect("area", made.id)
    context = {"form": at_first_field(form), "submit": _("Skapa utgivningsområdet"), "cancel_url": reverse("administration")}
    heading = _("Skapa utgivningsområde")
    return render_page(request, ADMINISTRATION, _FORM, context, heading=heading, crumbs=[Crumb(heading)], status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def area_edit(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Edits an area. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    demand(Action.CREATE_ORGANISATION in head.rights)
    form, made, status = submitted_form(
        request,
        partial(AreaForm, issuers=areas.issuer_choices(area_id=area_id)),
        lambda given: edit_area(
            actor=actor,
            area_id=area_id,
            version=given["version"],
            name=given["name"],
            invoice_reference=given["invoice_reference"],
            issuing_organisation_id=UUID(given["issuing_organisation"]) if given["issuing_organisation"] else None,
        ),
        first=lambda: initial(AreaForm, areas.area_facts(actor=actor, area_id=area_id)),
    )
    if made is not None:
        messages.success(request, _("Utgivningsområdet är sparat."))
        return redirect("area", area_id)
    context = {"form": form, "submit": _("Spara"), "cancel_url": reverse("area", args=[area_id])}
    return area_page(request, _FORM, head, context, here="area", step=_("Redigera utgivningsområdet"), status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def area_remove(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Removes an area in which nothing was ever configured, after confirmation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    demand(Action.CREATE_ORGANISATION in head.rights)
    status = 200
    if request.method == "POST":
        try:
            remove_area(actor=actor, area_id=area_id)
        except Conflict as error:
            status = error.http_status
        else:
            messages.success(request, _("Utgivningsområdet {name} är borttaget.").format(name=head.name))
            return redirect("administration")
    context = {"removable": _is_removable(head), "name": head.name, "cancel_url": reverse("area", args=[area_id])}
    template, step = "organisations/area_remove.html", _("Ta bort utgivningsområdet")
    return area_page(request, template, head, context, here="area", step=step, status=status)


def _is_removable(head: AreaHead) -> bool:
    return Action.CREATE_ORGANISATION in head.rights and is_empty_area(head.id)
