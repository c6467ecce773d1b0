"""Administrera behörighetsroller: the roles of a person with their places, training and person check."""

from collections.abc import Sequence
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
from issuance.authz import Actor, Role, policy
from issuance.authz.roles import GLOBAL_ROLES
from issuance.person_page.queries.page_parts import PersonHead
from issuance.records.web.frame import Link, actor_of, demand, recent_login
from issuance.roles.domain import QualificationKind, Standing
from issuance.roles.queries import ended_roles, role_tree, role_words, roles
from issuance.roles.queries import role_requests as role_request_query
from issuance.roles.services import qualifications, role_assignment, role_requests
from issuance.roles.services.role_periods import Period
from issuance.roles.web import role_given
from issuance.roles.web.lists import EndedRoleList, RoleRequestList
from issuance.roles.web.role_forms import PickRoleForm, PlacedRoleForm, QualificationForm, RequestRoleForm, RoleForm
from issuance.roles.web.role_frame import kept, person_page
from siths_portal.lib.errors import Conflict, Forbidden, Invalid
from siths_portal.lib.ids import ids_of
from siths_portal.lib.lists import Lines
from siths_portal.lib.pages.error_pages import leads_back


@require_safe
def person_roles(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Shows the person's current roles by place, training and person check; with `?avslutade=1` also ended roles.

    Raises NotFound, Forbidden.
    """
    actor = actor_of(request)
    found = roles.of_person(actor=actor, person_id=person_id)
    reason = "" if found.qualifications.may_record else _("Personen har en roll på din nivå eller över den i utgivningsområdet.")
    standing = found.qualifications.standing
    urgent = standing is not None and standing.code != Standing.HOLDS
    record = Link(
        _("Registrera utbildning eller personkontroll"), reverse("qualification_add", args=[person_id]), not reason, reason
    )
    functions = [
        Link(_("Lägg till behörighetsroll"), reverse("person_role_add", args=[person_id])),
        *([] if urgent and record.allowed else [record]),  # the page's next step has it
        Link(_("Vad får rollen göra?"), reverse("role_rights")),
        Link(_("Personens historik"), reverse("person_history", args=[person_id])),
    ]
    requested = role_request_query.of_person(actor=actor, person_id=person_id)
    listed = RoleRequestList(request, Lines(requested), table_id="begarda").shown()
    context = {"found": found, "requested": requested, "requested_list": listed, "functions": functions, "urgent": urgent}
    context |= _ended(request, found.head)
    return person_page(request, "roles/person.html", found.head, context)


def _ended(request: HttpRequest, head: PersonHead) -> dict[str, Any]:
    """Returns the context of `roles/ended.html`. Ended roles are read only on request."""
    chosen = {"avslutade": "1"}
    if request.GET.get("avslutade") != "1":
        return {"ended_url": f"{request.path}?{urlencode(chosen)}#avslutade"}
    found = ended_roles.of_person(actor=actor_of(request), person_id=head.id)
    return {"ended": EndedRoleList(request, found, chosen).shown()}


@require_http_methods(["GET", "HEAD", "POST"])
def person_role_add(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Asks for the role (`?roll=`), then for add-on, period and places; POST gives it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = roles.person(actor=actor, person_id=person_id)
    if step_up := recent_login(request):
        return step_up
    assignable = _assignable(actor)
    role = next((one for one in assignable if one.value == request.GET.get("roll", "")), None)
    if role is None:
        submitted = request.method == "POST" or {"roll", "vidare"} & request.GET.keys()
        pick = PickRoleForm(assignable, request.GET if submitted else None)
        context = {"form": pick, "rights": role_words.table(assignable)}
        status = Invalid.http_status if submitted and not pick.is_valid() else 200
        return person_page(request, "roles/pick.html", head, context, status=status)
    may_protect = policy.may_give_add_on(actor)
    kind: type[RoleForm] = RequestRoleForm if role in GLOBAL_ROLES else PlacedRoleForm
    if request.method != "POST":
        typed = kept_form(request)
        protected = "protected_persons" in typed if typed else request.GET.get("sekretess") == "1"
        initial = {
            **({name: typed[name] for name in typed} if typed else {}),
            "role": role.value,
            "protected_persons": protected and may_protect,
        }
        form = kind([role], initial=initial, may_protect=may_protect)
        return _placing(request, head, role, form, picked=typed.getlist("plats") if typed else [])
    form = kind([role], request.POST, may_protect=may_protect)
    if not form.is_valid():
        return _placing(request, head, role, form, status=Invalid.http_status)
    try:
        _give_or_request(request, head, role, form)
    except (Conflict, Invalid, Forbidden) as error:
        if isinstance(error, Forbidden) and not error.fields:
            raise
        form.take(error)
        return _placing(request, head, role, form, status=error.http_status)
    return redirect("person_roles", person_id)


def _give_or_request(request: HttpRequest, head: PersonHead, role: Role, form: RoleForm) -> None:
    """Gives the role, or requests a global role (ADR 0296), and adds the message for the next page.

    Raises what the services raise.
    """
    given = {
        "actor": actor_of(request),
        "person_id": head.id,
        "role": role,
        "protected_persons": form.cleaned_data.get("protected_persons", False),
        "period": Period(form.cleaned_data["valid_from"], form.cleaned_data["valid_to"]),
    }
    if role not in GLOBAL_ROLES:
        role_given.add_message(request, role_assignment.assign_roles(**given, reach=_reach(request)))
        return
    role_requests.request_role(**given, reason=form.cleaned_data["reason"])
    text = _("Rollen {role} är begärd. Personen får den när en annan administratör har godkänt begäran.")
    messages.success(request, text.format(role=role_words.name(role.value)))


def _reach(request: HttpRequest) -> list[UUID]:
    """Returns the ticked places. Raises Invalid without any."""
    picked = ids_of(request.POST.getlist("plats"))
    if not picked:
        message = _("Välj minst en organisation eller ett utgivningsområde i trädet.")
        raise Invalid("role-reach", message, fields={"plats": [message]})
    return picked


def _placing(
    request: HttpRequest, head: PersonHead, role: Role, form: RoleForm, *, picked: Sequence[str] = (), status: int = 200
) -> HttpResponse:
    form.settle_role()
    places = []
    if role not in GLOBAL_ROLES:
        held = roles.places_held(person_id=head.id, role=role)
        places = role_tree.tree(actor=actor_of(request), role=role, held=held)
        if free := next((place for place in places if not place.held), None):
            form.fields["plats"].widget.attrs["id"] = f"plats_{free.id}"
    context = {
        "form": form,
        "role": role_words.name(role.value),
        "everywhere": role in GLOBAL_ROLES,
        "tree": places,
        "few": role_tree.count(places) <= _OPEN_TREE,
        "picked": request.POST.getlist("plats") or picked,
        "rights": role_words.table([role]),
    }
    return person_page(request, "roles/place.html", head, context, status=status)


_OPEN_TREE = 40
"""The largest tree that is shown unfolded."""


@require_http_methods(["GET", "HEAD", "POST"])
def qualification_add(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Records a training or person check of a person. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    found = roles.of_person(actor=actor, person_id=person_id)
    demand(found.qualifications.may_record)
    if step_up := recent_login(request):
        return step_up
    status = 200
    form = QualificationForm(request.POST) if request.method == "POST" else QualificationForm(initial=kept(request))
    if request.method == "POST":
        status = Invalid.http_status
        if form.is_valid():
            kinds, passed_on = form.kinds, form.cleaned_data["passed_on"]
            try:
                qualifications.record_of_several(actor=actor, person_ids=[person_id], kinds=kinds, passed_on=passed_on)
            except Invalid as error:
                form.take(error)
            else:
                messages.success(request, _RECORDED[frozenset(kinds)])
                return redirect("person_roles", person_id)
    context = {"form": form, "found": found}
    return person_page(request, "roles/qualification.html", found.head, context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def qualification_withdraw(request: HttpRequest, qualification_id: UUID) -> HttpResponse:
    """Withdraws a wrong record; GET redirects to the person's roles. Raises NotFound, Forbidden, Conflict."""
    actor = actor_of(request)
    person_id = qualifications.holder_of(actor=actor, qualification_id=qualification_id)
    leads_back(request, reverse("person_roles", args=[person_id]), _("Till personens roller"))
    if request.method != "POST":
        return redirect("person_roles", person_id)
    if step_up := recent_login(request):
        return step_up
    qualifications.withdraw(actor=actor, qualification_id=qualification_id)
    messages.success(request, _("Uppgiften är återtagen."))
    return redirect("person_roles", person_id)


_RECORDED = {
    frozenset({QualificationKind.PERSON_CHECK}): gettext_lazy("Personkontrollen är registrerad."),
    frozenset({QualificationKind.TRAINING}): gettext_lazy("Utbildningen är registrerad."),
    frozenset(QualificationKind): gettext_lazy("Personkontrollen och utbildningen är registrerade."),
}


def _assignable(actor: Actor) -> list[Role]:
    """Returns the roles that the actor may give somewhere."""
    found = frozenset[Role]().union(*(policy.assignable(actor, grant.scope_path) for grant in actor.grants))
    return [role for role in Role if role in found]
