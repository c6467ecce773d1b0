"""Pages with all role holders, training recorded for several of them, and the rights of each role."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import kept_form
from issuance.authz import Action, Actor, Role, policy
from issuance.organisations.queries import places
from issuance.organisations.queries.places import AreaHead
from issuance.records.web.frame import ADMINISTRATION, Crumb, actor_of, demand, recent_login, render_page, session_id_of
from issuance.records.web.places import way_to_area
from issuance.roles.domain import QualificationKind
from issuance.roles.queries import holders_to_train, role_reach, role_words
from issuance.roles.queries import role_holders as role_holders_query
from issuance.roles.queries.role_holders import Choice, Shown
from issuance.roles.services import qualifications
from issuance.roles.web.lists import HolderToTrainList, RoleHolderList
from issuance.roles.web.role_forms import RoleHoldersForm, SeveralForm
from issuance.search.domain.search_terms import TermKind
from issuance.search.models import Search
from issuance.search.services import holder_searching, searching
from siths_portal.lib.errors import Invalid, TooManyRequests
from siths_portal.lib.http.answer_times import in_step
from siths_portal.lib.ids import id_of, ids_of
from siths_portal.lib.lists import Chip, Order
from siths_portal.lib.pages.error_pages import with_retry_after

AREA = "omrade"
"""The parameter with the id of the area; without it the page covers the actor's whole scope."""


_USUAL = Order("namn")
NAMED = "sokning"
"""The parameter with the handle of a name search that filters the list."""


@require_http_methods(["GET", "HEAD", "POST"])
def role_holders(request: HttpRequest) -> HttpResponse:
    """Lists the role holders in the actor's scope that match the URL; POST redirects to the URL of the chosen filters.

    A name is stored as a search and represented by its handle; it counts towards the search limits (ADR 0188). Raises Forbidden.
    """
    actor = actor_of(request)
    areas = [(str(pk), name) for pk, name in role_reach.areas(actor)]
    if request.method == "POST":
        return _redirect_to_chosen(request, actor, areas)
    named = _named(request, actor, request.GET.get(NAMED, ""))
    if NAMED in request.GET and named is None:
        messages.info(request, _("Namnet är inte kvar. Skriv det igen."))
    given = {name: request.GET.get(name, "") for name in ("visa", "roll", AREA)}
    form = RoleHoldersForm(_filters(), areas, given)
    form.is_valid()  # an invalid choice in the URL does not restrict the list
    chosen = {name: form.cleaned_data.get(name, "") for name in given}
    form = RoleHoldersForm(_filters(), areas, initial={**chosen, "name": named.value if named else ""})
    return _listed(request, actor, form, chosen | ({NAMED: str(named.pk)} if named else {}), named)


def _listed(
    request: HttpRequest, actor: Actor, form: RoleHoldersForm, chosen: dict[str, str], named: Search | None
) -> HttpResponse:
    order = _order(request.GET.get("ordning", ""))
    shown = Shown(chosen["visa"] or Shown.ALL)
    choice = Choice(shown, chosen["roll"], id_of(chosen[AREA]), named.value if named else "")
    kept = {name: value for name, value in chosen.items() if value and value != Shown.ALL}
    found = RoleHolderList(request, actor, choice, kept).shown()
    context: dict[str, Any] = {"list": found, "shown": shown, "named": named, "chips": list(_chips(request, form, kept, named))}
    if not kept and policy.holds(actor, Action.ASSIGN_ROLE):
        context |= {"follow_up": role_holders_query.to_follow_up(actor=actor), "follow_up_most": role_holders_query.MOST}
    answer = _holders_page(request, form, context, order=order)
    return in_step(answer) if named and not found.lines else answer


def _chips(request: HttpRequest, form: RoleHoldersForm, kept: Mapping[str, str], named: Search | None) -> Iterator[Chip]:
    """Yields the filters that are set, each with the URL of the list without it."""
    for name, value in kept.items():
        field = form.fields["name" if name == NAMED else name]
        words = named.value if name == NAMED and named else dict(getattr(field, "choices", ())).get(value, value)
        others = {other: each for other, each in kept.items() if other != name}
        yield Chip(f"{field.label}: {words}", f"{request.path}?{urlencode(others)}" if others else request.path)


def _redirect_to_chosen(request: HttpRequest, actor: Actor, areas: Sequence[tuple[str, str]]) -> HttpResponse:
    """Redirects to the URL of the filters in the form, or shows the form with errors and what the user typed."""
    form, order = RoleHoldersForm(_filters(), areas, request.POST), _order(request.POST.get("ordning", ""))
    named = _named(request, actor, request.POST.get(NAMED, ""))
    status = Invalid.http_status
    if form.is_valid():
        try:
            parameters = {**form.cleaned_data, "ordning": order.text if order != _USUAL else ""}
            name = parameters.pop("name")
            if name and not (named and holder_searching.is_for(named, name)):
                named = searching.search(actor=actor, session_id=session_id_of(request), name=name)
            parameters[NAMED] = str(named.pk) if named and name else ""
            kept = {key: value for key, value in parameters.items() if value and value != Shown.ALL}
            answer = redirect(f"{request.path}?{urlencode(kept)}" if kept else request.path)
            return in_step(answer) if name else answer
        except (Invalid, TooManyRequests) as error:
            form.take(error)
            status = error.http_status
    context = {"named": named}
    return with_retry_after(_holders_page(request, form, context, order=order, status=status), form.retry_after)


def _named(request: HttpRequest, actor: Actor, handle: str) -> Search | None:
    """Returns the name search of this session with this handle, otherwise None."""
    session_id = session_id_of(request)
    found = holder_searching.own(actor=actor, session_id=session_id, search_id=id_of(handle))
    return found if found and found.kind == TermKind.NAME else None


def _order(text: str) -> Order:
    return Order.parse(text, [column.key for column in RoleHolderList.columns if column.by], _USUAL)


def _holders_page(
    request: HttpRequest, form: RoleHoldersForm, context: dict[str, Any], *, order: Order, status: int = 200
) -> HttpResponse:
    return render_page(
        request,
        ADMINISTRATION,
        "roles/holders.html",
        {**context, "form": form, "order": order},
        heading=_("Rollinnehavare"),
        crumbs=[Crumb(_("Rollinnehavare"))],
        status=status,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def holders_training(request: HttpRequest) -> HttpResponse:
    """Records a training or person check for several role holders of an area (`?omrade=`) or the whole scope.

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
        if _record(request, actor, form, picked):
            return redirect(back)
        status = Invalid.http_status
    elif typed := kept_form(request):
        form = SeveralForm(initial={name: typed[name] for name in typed})
        picked = set(ids_of(typed.getlist("person")))
    found = holders_to_train.to_train(actor=actor, area_id=head.id if head else None)
    listed = HolderToTrainList(request, found, fixed=chosen, picked=picked, back=back)
    listed.choice_error = "id_person_error" if "person" in form.errors else ""
    shown = listed.shown()
    if form.errors and not shown.lines:
        form.refuse(_("Ingen rollinnehavare behöver registreras här."))
    context: dict[str, Any] = {"form": form, "list": shown, "cancel_url": back, "area": head}
    heading = _("Registrera utbildning och personkontroll")
    crumbs = [*(way_to_area(head) if head else [Crumb(_("Rollinnehavare"), reverse("role_holders"))]), Crumb(heading)]
    kind = f"{_('Utgivningsområde')} {head.name}" if head else ""
    return render_page(
        request, ADMINISTRATION, "roles/training.html", context, heading=heading, kind=kind, crumbs=crumbs, status=status
    )


def _area(request: HttpRequest, actor: Actor) -> AreaHead | None:
    """Returns the area in the URL. Raises NotFound, Forbidden, also for every actor who assigns no roles."""
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
    """Returns the ticked persons; with `alla` those that the page listed, without any added since."""
    return set(ids_of(request.POST.getlist("listad" if "alla" in request.POST else "person")))


def _record(request: HttpRequest, actor: Actor, form: SeveralForm, picked: Collection[UUID]) -> bool:
    """Records the qualifications and adds a message. Returns False, with errors on the form, if they were refused."""
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
    messages.success(request, _RECORDED[frozenset(form.kinds)].format(n=count))
    return True


_RECORDED = {
    frozenset({QualificationKind.PERSON_CHECK}): gettext_lazy("Personkontrollen är registrerad för {n} rollinnehavare."),
    frozenset({QualificationKind.TRAINING}): gettext_lazy("Utbildningen är registrerad för {n} rollinnehavare."),
    frozenset(QualificationKind): gettext_lazy("Personkontrollen och utbildningen är registrerade för {n} rollinnehavare."),
}


@require_safe
@ADMINISTRATION.requires()
def role_rights(request: HttpRequest) -> HttpResponse:
    """Shows the table of roles and rights from the policy. Raises Forbidden."""
    return render_page(
        request,
        ADMINISTRATION,
        "roles/rights.html",
        {"rights": role_words.table(Role)},
        heading=_("Vad får rollen göra?"),
        crumbs=[Crumb(_("Vad får rollen göra?"))],
    )


def _filters() -> list[tuple[Shown, str]]:
    return [
        (Shown.ALL, _("Alla")),
        (Shown.FOLLOW_UP, _("Att följa upp")),
        (Shown.BLOCKED, _("Får inte utfärda")),
        (Shown.RESTING, _("Vilande roll")),
    ]
