"""Översikt: the first page of Administrera."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from issuance.administration.queries import area_gaps, next_steps, readiness
from issuance.administration.queries.area_gaps import AreaGaps
from issuance.administration.web.lists import AreaList, GrantedOrganisationList
from issuance.authz import Action, Actor, policy
from issuance.customisations.queries import customisation_requests
from issuance.imports import services as imports
from issuance.organisations.queries import areas
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, actor_of, render_page
from issuance.roles.queries import own_training, role_holders, role_requests


@require_safe
@ADMINISTRATION.requires()
def overview(request: HttpRequest) -> HttpResponse:
    """Shows the issuing areas that the user sees, or the organisations of their roles if they see no area. Raises Forbidden."""
    actor = actor_of(request)
    found = AreaList(request).shown()
    granted = GrantedOrganisationList(request, areas.granted_organisations(actor=actor)).shown()
    unfinished = None if found.first_url else next_steps.unfinished(actor, found.lines)
    waiting = list(_waiting(actor))
    gaps = [] if unfinished else area_gaps.areas_with_gaps(actor=actor)
    context = {
        "areas": found.lines,
        "list": found,
        "lead": _lead(len(waiting) + bool(unfinished), len(gaps)),
        "unfinished": unfinished,
        "training": own_training.notice(actor),
        "waiting": waiting,
        "gaps": [_row_of_gaps(each) for each in gaps[: area_gaps.MOST]],
        "more_gaps": len(gaps) > area_gaps.MOST,
        "organisations": granted.lines,
        "granted": granted,
    }
    return render_page(
        request,
        ADMINISTRATION,
        "administration/overview.html",
        context,
        heading=_("Översikt"),
        crumbs=[Crumb(_("Översikt"))],
        functions=_functions(actor),
        configuration=_configuration(actor),
    )


def _lead(waiting: int, gaps: int) -> str:
    """Returns the sentence that says how things stand."""
    if waiting:
        return ngettext("{n} sak väntar på dig.", "{n} saker väntar på dig.", waiting).format(n=waiting)
    if gaps:
        return ngettext("Utgivningsområdet nedan har steg kvar.", "Utgivningsområdena nedan har steg kvar.", gaps)
    return _("Inget väntar på dig.")


def _waiting(actor: Actor) -> Iterator[dict[str, object]]:
    """Yields what waits for the actor, as rows of `components/rows.html`."""
    if policy.holds(actor, Action.VERIFY_CUSTOMISATION) and (count := readiness.to_verify(actor=actor)):
        title = ngettext(
            "kortanpassning väntar på att du verifierar den", "kortanpassningar väntar på att du verifierar dem", count
        )
        text = _("Kort kan inte beställas med en kortanpassning som inte är verifierad.")
        yield _row(count, title, text, _("Granska"), f"{reverse('customisations')}?status=waiting", color="urgent")
    if count := role_requests.count_to_decide(actor=actor):
        title = ngettext("begärd roll väntar på ditt beslut", "begärda roller väntar på ditt beslut", count)
        yield _row(
            count,
            title,
            _("Rollen gäller först när en annan person än den begärande har godkänt."),
            _("Besluta"),
            reverse("role_requests"),
        )
    if policy.holds(actor, Action.ASSIGN_ROLE) and (count := role_holders.to_follow_up(actor=actor)):
        title = ngettext("rollinnehavare behöver följas upp", "rollinnehavare behöver följas upp", count)
        if count >= role_holders.MOST:
            title = _("rollinnehavare eller fler behöver följas upp")
        text = _("Utbildning eller personkontroll saknas eller går ut, eller uppdraget i HSA-katalogen har upphört.")
        yield _row(min(count, role_holders.MOST), title, text, _("Visa"), f"{reverse('role_holders')}?visa=folj-upp")
    if policy.holds(actor, Action.CREATE_ORGANISATION) and (count := customisation_requests.waiting(actor=actor)):
        title = ngettext("önskemål om kortanpassning väntar", "önskemål om kortanpassning väntar", count)
        text = _("Be kortleverantören skapa eller ändra kortanpassningen.")
        yield _row(count, title, text, _("Visa"), reverse("customisations"))


def _row(number: int, title: str, text: str, action: str, url: str, *, color: str = "") -> dict[str, object]:
    return {"number": number, "title": title, "text": text, "action": action, "url": url, "color": color}


def _row_of_gaps(area: AreaGaps) -> dict[str, object]:
    """Returns an area with steps left as a row."""
    lacks = []
    if area.no_issuing:
        lacks.append(_("Utgivande organisation saknas."))
    if area.no_issuers:
        lacks.append(_("Ansvarig utgivare saknas."))
    if count := area.without_office:
        lacks.append(ngettext("{n} organisation saknar kontor.", "{n} organisationer saknar kontor.", count).format(n=count))
    if count := area.without_articles:
        lacks.append(ngettext("{n} organisation saknar artiklar.", "{n} organisationer saknar artiklar.", count).format(n=count))
    url = reverse("area", args=[area.id])
    return {
        "icon": "building",
        "color": "urgent",
        "title": area.name,
        "url": url,
        "text": " ".join(lacks),
        "action": _("Visa stegen"),
    }


def _functions(actor: Actor) -> Iterator[Link]:
    if policy.holds(actor, Action.ASSIGN_ROLE):
        yield Link(_("Rollinnehavare"), reverse("role_holders"))
    if policy.holds(actor, Action.ASSIGN_GLOBAL_ROLE):
        yield Link(_("Begärda roller"), reverse("role_requests"))
    yield Link(_("Artiklar"), reverse("articles"))
    yield Link(_("Kortanpassningar"), reverse("customisations"))
    yield Link(_("Vad får rollen göra?"), reverse("role_rights"))
    if imports.may_set_up(actor):
        yield Link(_("Importera från fil"), reverse("setup_import"))
    if imports.may_import(actor):
        yield Link(_("Läs in äldre kort"), reverse("carrier_import"))
    if policy.holds(actor, Action.END_SESSION):
        yield Link(_("Inloggade just nu"), reverse("log_ins"))


def _configuration(actor: Actor) -> Iterator[Link]:
    if policy.holds(actor, Action.CREATE_ORGANISATION):
        yield Link(_("Skapa utgivningsområde"), reverse("area_new"))
