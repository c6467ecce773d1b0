"""All role holders with training and last log-in, training recorded of several of them, and what each role may do."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import kept_form
from issuance.authz import Action, Actor, Role, policy
from issuance.queries.administration import holders_to_train, paging, places, role_words
from issuance.queries.administration import role_holders as query
from issuance.queries.administration.places import AreaHead
from issuance.queries.administration.role_holders import Shown
from issuance.services import qualifications
from issuance.web.administration.around import (
    Crumb,
    actor_of,
    columns,
    configuration_page,
    cursor,
    demand,
    first_url,
    next_url,
    page,
    way_to_area,
)
from issuance.web.administration.role_forms import SeveralForm
from issuance.web.administration.role_frame import recent_login
from siths_portal.lib.errors import Invalid
from siths_portal.lib.ids import id_of, ids_of

AREA = "omrade"
"""The parameter that names the area whose role holders are listed; all in reach without it."""


@require_safe
def role_holders(request: HttpRequest) -> HttpResponse:
    """Role holders in the actor's scope: all or those to follow up (`?visa=`), of one role (`?roll=`). Raises Forbidden."""
    shown = request.GET.get("visa", Shown.ALL)
    shown = shown if shown in Shown else Shown.ALL
    role = request.GET.get("roll", "")
    role = role if role in Role else ""
    order = paging.order_of(request.GET.get("ordning", ""), query.COLUMNS, query.USUAL.key)
    found = query.holders(actor=actor_of(request), shown=Shown(shown), role=role, order=order, after=cursor(request))
    chosen = {"visa": "" if shown == Shown.ALL else shown, "roll": role}
    chosen = {name: value for name, value in chosen.items() if value}
    context = {
        "rows": found.rows,
        "shown": shown,
        "filters": [(code.value, text) for code, text in _filters()],
        "role": role,
        "roles": [(one.value, role_words.name(one.value)) for one in Role],
        "columns": columns(request, order, _headings(), chosen=chosen),
        "order": order,
        "next_url": next_url(request, found.after, order, chosen=chosen),
        "first_url": first_url(request, order, chosen=chosen),
    }
    return page(
        request,
        "administration/roles/holders.html",
        context,
        heading=_("Rollinnehavare"),
        crumbs=[Crumb(_("Rollinnehavare"))],
    )


@require_http_methods(["GET", "HEAD", "POST"])
def holders_training(request: HttpRequest) -> HttpResponse:
    """Records a training or person check of several role holders, of an area (`?omrade=`) or of all in reach.

    Raises NotFound, Forbidden.
    """
    actor = actor_of(request)
    head = _area(request, actor)
    if step_up := recent_login(request):
        return step_up
    chosen = {AREA: str(head.id)} if head else {}
    back = reverse("area", args=[head.id]) if head else f"{reverse('role_holders')}?visa={Shown.FOLLOW_UP}"
    picked, form, status = _picked(request), SeveralForm(), 200
    if request.method == "POST":
        form = SeveralForm(request.POST)
        if _recorded(request, actor, form, picked):
            return redirect(back)
        status = Invalid.http_status
    elif typed := kept_form(request):
        form = SeveralForm(initial={name: typed[name] for name in typed})
        picked = set(ids_of(typed.getlist("person")))
    found = holders_to_train.to_train(actor=actor, area_id=head.id if head else None, after=cursor(request))
    if request.method != "POST" and len(found.rows) == 1:
        picked = {found.rows[0].person_id}
    context: dict[str, Any] = {
        "form": form,
        "rows": found.rows,
        "picked": picked,
        "cancel_url": back,
        "area": head,
        "next_url": next_url(request, found.after, chosen=chosen),
        "first_url": first_url(request, chosen=chosen),
    }
    heading = _("Registrera utbildning för flera")
    crumbs = [*(way_to_area(head) if head else [Crumb(_("Rollinnehavare"), reverse("role_holders"))]), Crumb(heading)]
    kind = f"{_('Utgivningsområde')} {head.name}" if head else ""
    return page(request, "administration/roles/training.html", context, heading=heading, kind=kind, crumbs=crumbs, status=status)


def _area(request: HttpRequest, actor: Actor) -> AreaHead | None:
    """The area that the address names. Raises NotFound, Forbidden; also for who assigns no roles, whatever it names."""
    policy.reach(actor, Action.ASSIGN_ROLE)
    if AREA not in request.GET:
        return None
    area_id = id_of(request.GET[AREA])
    if area_id is None:
        raise policy.not_found()
    head = places.area_head(actor=actor, area_id=area_id)
    demand(Action.ASSIGN_ROLE in head.rights)
    return head


def _picked(request: HttpRequest) -> Collection[UUID]:
    """Those who were ticked; with `alla` all who were listed, and nobody who has come since."""
    return set(ids_of(request.POST.getlist("listad" if "alla" in request.POST else "person")))


def _recorded(request: HttpRequest, actor: Actor, form: SeveralForm, picked: Collection[UUID]) -> bool:
    """Whether what was asked for is done, which the next page tells; else the form tells what stands against it."""
    if not (form.is_valid() and picked):
        if not picked:
            form.add_error("person", _("Välj minst en person."))
        return False
    try:
        count = qualifications.record_of_several(
            actor=actor, person_ids=picked, kinds=form.kinds, passed_on=form.cleaned_data["passed_on"]
        )
    except Invalid as error:
        form.take(error)
        return False
    told = ngettext("Registrerat för {n} rollinnehavare.", "Registrerat för {n} rollinnehavare.", count)
    messages.success(request, told.format(n=count))
    return True


@require_safe
@configuration_page
def role_rights(request: HttpRequest) -> HttpResponse:
    """The table of roles and rights, as the policy has it. Raises Forbidden."""
    return page(
        request,
        "administration/roles/rights.html",
        {"rights": role_words.table(Role)},
        heading=_("Vad får rollen göra?"),
        crumbs=[Crumb(_("Vad får rollen göra?"))],
    )


def _headings() -> list[tuple[str, str]]:
    return [
        ("namn", _("Namn")),
        ("", _("Roller")),
        ("kontroll", _("Personkontroll")),
        ("utbildning", _("Utbildning")),
        ("", _("Läge")),
        ("", _("Senast inloggad")),
    ]


def _filters() -> list[tuple[Shown, str]]:
    return [
        (Shown.ALL, _("Alla")),
        (Shown.FOLLOW_UP, _("Att följa upp")),
        (Shown.BLOCKED, _("Får inte utfärda")),
        (Shown.RESTING, _("Rollen vilar")),
    ]
