"""All role holders with training and last log-in, and what each role may do."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.authz import Role
from issuance.queries.administration import role_holders as query
from issuance.queries.administration import role_words
from issuance.queries.administration.role_holders import Shown
from issuance.web.administration.around import Crumb, actor_of, configuration_page, cursor, page


@require_safe
def role_holders(request: HttpRequest) -> HttpResponse:
    """Role holders in the actor's scope: all or those to follow up (`?visa=`), of one role (`?roll=`). Raises Forbidden."""
    shown = request.GET.get("visa", Shown.ALL)
    shown = shown if shown in Shown else Shown.ALL
    role = request.GET.get("roll", "")
    role = role if role in Role else ""
    after = cursor(request)
    found = query.holders(actor=actor_of(request), shown=Shown(shown), role=role, after=after)
    chosen = {"visa": "" if shown == Shown.ALL else shown, "roll": role}
    context = {
        "rows": found.rows,
        "shown": shown,
        "filters": [(code.value, text) for code, text in _filters()],
        "role": role,
        "roles": [(one.value, role_words.name(one.value)) for one in Role],
        "next_url": _with(request, **chosen, efter=found.after) if found.after else "",
        "first_url": _with(request, **chosen) if after else "",
    }
    return page(
        request,
        "administration/roles/holders.html",
        context,
        heading=_("Rollinnehavare"),
        crumbs=[Crumb(_("Rollinnehavare"))],
    )


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


def _with(request: HttpRequest, **chosen: object) -> str:
    """This page's address with what is chosen."""
    query_string = urlencode({name: value for name, value in chosen.items() if value})
    return f"{request.path}?{query_string}" if query_string else request.path


def _filters() -> list[tuple[Shown, str]]:
    return [
        (Shown.ALL, _("Alla")),
        (Shown.FOLLOW_UP, _("Att följa upp")),
        (Shown.BLOCKED, _("Får inte utfärda")),
        (Shown.RESTING, _("Rollen vilar")),
    ]
