"""Inloggade just nu: who is logged in, for administrators who may end a log-in (rules/authn 2.3)."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.http import require_http_methods
from django_filters import ChoiceFilter, FilterSet

from issuance.authz.actor import HOLDER_PREFIX, USER_PREFIX
from issuance.people.services import disclosures
from issuance.records.web.frame import ADMINISTRATION, Crumb, actor_of, render_page, session_id_of
from issuance.roles.queries import log_ins as query
from issuance.roles.queries.log_ins import LogInLine
from issuance.roles.services import log_ins as service
from siths_portal.lib.ids import id_of
from siths_portal.lib.lists import Column, Empty, Key, Kind, List, Source
from siths_portal.lib.pages.forms import Form

_SITES = (("portalen", gettext_lazy("Portalen")), ("mina-sidor", gettext_lazy("Mina sidor")))
_PREFIXES = {"portalen": USER_PREFIX, "mina-sidor": HOLDER_PREFIX}
_WHAT = "log_ins"


class LogInFilter(FilterSet):  # type: ignore[misc]
    """The site where people are logged in."""

    webbplats = ChoiceFilter(label=gettext_lazy("Webbplats"), empty_label=gettext_lazy("Alla"), choices=_SITES, method="by_site")

    class Meta:
        form = Form

    def by_site(self, rows: Any, name: str, value: str) -> Any:
        """Keeps the sessions of one site."""
        return rows.filter(subject_ref__startswith=_PREFIXES[value])


class LogInList(List[LogInLine]):
    """The live sessions, the one that was used last first. Few rows are live at a time, so orders need no index."""

    counted_as = ngettext_lazy("{n} inloggning", "{n} inloggningar")
    columns = (
        Column(
            key="namn",
            heading=gettext_lazy("Namn"),
            value="name",
            template="roles/cells.html#logged-in",
            sort=Key("display_name", nullable=False),
        ),
        Column(key="webbplats", heading=gettext_lazy("Webbplats"), value="site"),
        Column(
            key="inloggad",
            heading=gettext_lazy("Inloggad"),
            value="created_at",
            kind=Kind.MOMENT,
            sort=Key("created_at", nullable=False),
        ),
        Column(
            key="anvand",
            heading=gettext_lazy("Senast använd"),
            value="last_seen_at",
            kind=Kind.MOMENT,
            sort=Key("last_seen_at", nullable=False),
        ),
        Column(key="slut", heading=gettext_lazy("Avslutas senast"), value="expires_at", kind=Kind.MOMENT, extra=True),
        Column(
            key="atgard",
            heading=gettext_lazy("Åtgärd"),
            value="id",
            template="roles/cells.html#end-log-in",
            heading_hidden=True,
        ),
    )
    caption = gettext_lazy("Inloggade just nu")
    caption_hidden = True
    table_id = "inloggningar"
    order = "-anvand"
    filters = LogInFilter
    empty = Empty(gettext_lazy("Ingen är inloggad"), gettext_lazy("Listan visar inloggningar som gäller nu."))

    def rows(self) -> Source[LogInLine]:
        """See `List`."""
        return query.logged_in(actor=actor_of(self.request), own_session=session_id_of(self.request))

    def note_page(self, lines: Sequence[LogInLine]) -> None:
        """See `List`."""
        disclosures.record_work(actor=actor_of(self.request), what=_WHAT, person_ids=[line.person_id for line in lines])


@require_http_methods(["GET", "HEAD", "POST"])
def log_ins(request: HttpRequest) -> HttpResponseBase:
    """Lists who is logged in. POST with `session` ends that log-in; one that is not there or hidden is said to be ended already.

    Raises Forbidden.
    """
    if request.method == "POST":
        return _end(request)
    return LogInList(request).answer(
        lambda shown: render_page(
            request,
            ADMINISTRATION,
            "roles/log_ins.html",
            {"list": shown, "form": shown.form},
            heading=_("Inloggade just nu"),
            crumbs=[Crumb(_("Inloggade just nu"))],
            status=shown.status,
        )
    )


def _end(request: HttpRequest) -> HttpResponse:
    wanted = id_of(request.POST.get("session", ""))
    actor = actor_of(request)
    if wanted is not None and wanted != session_id_of(request) and service.end(actor=actor, session_id=wanted):
        messages.success(request, _("Inloggningen är avslutad. Personen måste logga in igen för att fortsätta."))
    else:
        query.logged_in(actor=actor, own_session=session_id_of(request))  # refuses those who may end nothing
        messages.info(request, _("Den inloggningen var redan avslutad."))
    return redirect("log_ins")
