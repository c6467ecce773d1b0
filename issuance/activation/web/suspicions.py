"""Suspected false documents: the officer's report at a visit, and the responsible issuer's list and judgement."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from django_filters import ChoiceFilter, FilterSet

from issuance.activation.domain.identity_documents import FALSE, GENUINE
from issuance.activation.models import DocumentSuspicion
from issuance.activation.queries import suspicions as query
from issuance.activation.queries.suspicions import OPEN, SuspicionView
from issuance.activation.services import suspicions
from issuance.activation.web import live
from issuance.activation.web.suspicion_forms import JudgementForm, ReportForm
from issuance.authz import Action
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import person_view
from issuance.records.domain import wording
from issuance.records.web.forms import DONE, tried
from issuance.records.web.frame import SEARCH, Crumb, actor_of, render_page
from siths_portal.lib.lists import Column, Empty, Kind, List, Rows, Tag
from siths_portal.lib.pages.dates import in_words
from siths_portal.lib.pages.error_pages import leads_back
from siths_portal.lib.pages.forms import Form

STATES = {
    OPEN: ("missing", lazy("Att bedöma")),
    GENUINE: ("active", lazy("Inte falsk")),
    FALSE: ("revoked", lazy("Falsk")),
}
"""The tag and label of each state of a suspicion."""


@require_http_methods(["GET", "HEAD", "POST"])
def suspicion_report(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Asks what the officer saw; a post stops the visit. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    carrier = suspicions.to_report(actor=actor, carrier_id=carrier_id)
    back = live.carrier_page(carrier.holder_id, carrier.pk)
    leads_back(request, back, _("Till kortet"))
    form, status = ReportForm(), 200
    if request.method == "POST":
        form = ReportForm(request.POST)
        _made, status = tried(form, lambda: suspicions.report(actor=actor, carrier_id=carrier_id, **form.cleaned_data))
        if status == DONE:
            messages.warning(
                request, _("Misstanken är rapporterad. Ansvarig utgivare ser den på Dagen. Ring också, så att den bedöms snart.")
            )
            return redirect(_stopped_page(carrier))
    head = person_view.person_head(actor=actor, person_id=carrier.holder_id)
    disclosures.record(actor=actor, person_id=head.id, shown=Shown.PERSON, subject=carrier.pk)
    context = {"form": form, "head": head, "serial": wording.card_serial(carrier.card_serial), "cancel_url": back}
    heading = _("Misstänker du att id-handlingen är falsk?")
    crumbs = [Crumb(head.name, back), Crumb(_("Misstänkt id-handling"))]
    return render_page(
        request, SEARCH, "activation/suspicion_report.html", context, heading=heading, crumbs=crumbs, status=status
    )


def _stopped_page(carrier: Carrier) -> str:
    """Returns the page of the visit, which says what happens next."""
    return reverse("unlock" if carrier.state == CarrierState.ACTIVE else "activate", args=[carrier.pk])


class SuspicionFilter(FilterSet):  # type: ignore[misc]
    """Which suspicions are listed."""

    status = ChoiceFilter(
        label=lazy("Status"),
        empty_label=lazy("Alla"),
        choices=[(code, text) for code, (_tag, text) in STATES.items()],
        method="by_state",
    )

    class Meta:
        form = Form

    def by_state(self, rows: QuerySet[DocumentSuspicion], _name: str, value: str) -> QuerySet[DocumentSuspicion]:
        """Selects by judgement."""
        return rows.filter(judgement=None) if value == OPEN else rows.filter(judgement__is_false=value == FALSE)


class SuspicionList(List[SuspicionView]):
    """The suspicions that the user may judge, the newest first. It has no file: it is for work at hand."""

    counted_as = ngettext_lazy("{n} misstanke", "{n} misstankar")
    columns = (
        Column(key="person", heading=lazy("Person"), link=lambda line: reverse("suspicion", args=[line.id])),
        Column(key="kort", heading=lazy("Kort slutar på"), value="last", kind=Kind.NUMBER),
        Column(key="organisation", heading=lazy("Organisation")),
        Column(key="handling", heading=lazy("Id-handling"), value="document"),
        Column(key="tid", heading=lazy("Rapporterad"), value="at", kind=Kind.MOMENT, below=lambda line: [line.officer]),
        Column(key="status", heading=lazy("Status"), kind=Kind.TAG, value=lambda line: state_tag(line)),
    )
    caption = lazy("Misstänkta id-handlingar")
    caption_hidden = True
    order = "-"
    filters = SuspicionFilter
    empty = Empty(
        lazy("Ingen misstänkt id-handling"),
        lazy("När en ID-administratör rapporterar en misstänkt falsk id-handling vid ett besök syns det här och på Dagen."),
        reverse_lazy("day"),
        lazy("Till Dagen"),
    )

    def rows(self) -> Rows[DocumentSuspicion, SuspicionView]:
        """See `List`."""
        return query.listed(actor=actor_of(self.request))

    def note_page(self, lines: Any) -> None:
        """See `List`."""
        disclosures.record_work(actor=actor_of(self.request), what="suspicions", person_ids=[line.person_id for line in lines])


def state_tag(line: SuspicionView) -> Tag:
    """Returns the state of a suspicion as a tag."""
    kind, text = STATES[line.state]
    return Tag(kind, str(text))


@require_safe
@SEARCH.requires(Action.JUDGE_DOCUMENT)
def suspicion_list(request: HttpRequest) -> HttpResponseBase:
    """Lists the suspected documents. Raises Forbidden."""
    heading = _("Misstänkta id-handlingar")
    return SuspicionList(request).answer(
        lambda shown: render_page(
            request,
            SEARCH,
            "activation/suspicions.html",
            {"list": shown},
            heading=heading,
            crumbs=[Crumb(heading)],
            status=shown.status,
        )
    )


@require_http_methods(["GET", "HEAD", "POST"])
def suspicion(request: HttpRequest, suspicion_id: UUID) -> HttpResponse:
    """Shows a suspicion; a post judges it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    suspicions.to_judge(actor=actor, suspicion_id=suspicion_id)
    form, status = JudgementForm(), 200
    if request.method == "POST":
        form = JudgementForm(request.POST)
        made, status = tried(form, lambda: suspicions.judge(actor=actor, suspicion_id=suspicion_id, **form.cleaned_data))
        if made is not None:
            genuine = _("Personens kort kan aktiveras och låsas upp igen.")
            messages.success(request, _("Handlingen var falsk. Spärra kortet.") if made.is_false else genuine)
            return redirect("suspicion", suspicion_id)
    view = query.view(actor=actor, suspicion_id=suspicion_id)
    disclosures.record(actor=actor, person_id=view.person_id, shown=Shown.PERSON, subject=view.carrier_id)
    listing = reverse("suspicions")
    context = {
        "form": form,
        "view": view,
        "tag": state_tag(view),
        "judges": view.state == OPEN,
        "revokes": view.state == FALSE,
        "cancel_url": listing,
        "rows": _facts(view),
    }
    heading = _("Misstänkt id-handling för {name}").format(name=view.person)
    crumbs = [Crumb(_("Misstänkta id-handlingar"), listing), Crumb(view.person)]
    return render_page(request, SEARCH, "activation/suspicion.html", context, heading=heading, crumbs=crumbs, status=status)


def _facts(view: SuspicionView) -> list[dict[str, Any]]:
    person = {"url": live.carrier_page(view.person_id, view.carrier_id), "action": _("Visa")}
    facts = (
        (_("Kort slutar på"), view.last),
        (_("Organisation"), view.organisation),
        (_("Id-handling"), view.document),
        (_("Det här såg ID-administratören"), view.observed),
        (_("Rapporterad"), f"{in_words(view.at)}, {view.officer}"),
        (_("Bedömd"), f"{in_words(view.judged_at)}, {view.judged_by}" if view.judged_at else ""),
        (_("Skäl"), view.reason),
    )
    return [
        {"label": _("Person"), "value": view.person, **person},
        *({"label": label, "value": value} for label, value in facts if value),
    ]
