"""All role holders with training and last log-in, and what each role may do."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.authz import Role
from issuance.queries.administration import paging, role_words
from issuance.queries.administration import role_holders as query
from issuance.queries.administration.role_holders import Shown
from issuance.web.administration.around import Crumb, actor_of, columns, configuration_page, cursor, first_url, next_url, page


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
