"""Shared parts of the wizard's pages: whether a step may be shown, and what surrounds its question."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authn.web import kept_form
from issuance.authz import Actor
from issuance.orders.domain.drafts import DraftState, Step, may_show, previous_step, steps
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.queries import other_cards
from issuance.orders.services import draft_answers, draft_reading
from issuance.orders.services.draft_answers import Answers
from issuance.orders.services.draft_reading import LiveFacts
from issuance.orders.services.drafts import DraftChanged
from issuance.orders.web import summary
from issuance.people.services import disclosures
from issuance.person_page.queries import person_view
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url

FROM_REVIEW = "granska"
TITLES = {
    Step.ORGANISATION: gettext_lazy("Val av organisation"),
    Step.ARTICLE: gettext_lazy("Välj artikel"),
    Step.PHOTO: gettext_lazy("Granska foto"),
    Step.OFFICE: gettext_lazy("Välj kontor"),
    Step.REVIEW: gettext_lazy("Förhandsgranska"),
}
_NAMES = {
    Step.ORGANISATION: "order_organisation",
    Step.ARTICLE: "order_article",
    Step.PHOTO: "order_photo",
    Step.OFFICE: "order_office",
    Step.REVIEW: "order_review",
}

_TEMPLATES = {
    Step.ORGANISATION: "orders/organisation.html",
    Step.ARTICLE: "orders/article.html",
    Step.PHOTO: "orders/photo.html",
    Step.OFFICE: "orders/office.html",
    Step.REVIEW: "orders/review.html",
}


_SHOWS_OTHER_CARDS = (Step.ORGANISATION, Step.REVIEW)
"""The steps that list the person's other cards: the first, before any choice, and the last, which asks for the confirmation."""


@dataclass(frozen=True)
class Open:
    """An open draft with the data of its page, at a step that may be shown."""

    actor: Actor
    draft: OrderDraft
    step: Step
    answers: Answers
    outside: LiveFacts


def address(step: Step, draft_id: UUID) -> str:
    """Returns the URL of a step of a draft."""
    return reverse(_NAMES[step], args=[draft_id])


def opened(request: HttpRequest, draft_id: UUID, step: Step) -> Open | HttpResponse:
    """Returns the draft at `step`, or a redirect: to an earlier step, or to the person if the draft is closed. Raises NotFound,
    Forbidden.
    """
    actor = actor_of(request)
    draft, outside = draft_reading.read(actor=actor, draft_id=draft_id)
    if draft.state != DraftState.OPEN:
        return closed(request, draft)
    answers = draft_answers.answers(actor=actor, draft=draft)
    if not may_show(step, answers.answered, photo=answers.photo):
        return redirect(address(answers.first_unanswered, draft.pk))
    return Open(actor, draft, step, answers, outside)


def closed(request: HttpRequest, draft: OrderDraft) -> HttpResponse:
    """Redirects to the person, with a message about the draft's end."""
    if draft.order is not None:
        messages.info(request, _("Beställningen är redan skickad. Kortet visas här."))
        return redirect(to_carrier(draft.person_id, draft.order.carrier_id))
    messages.info(request, _("Beställningen är avbruten. Välj Nytt SITHS eID ordinarie kort för att fortsätta med den."))
    return redirect("person", draft.person_id)


def to_carrier(person_id: UUID, carrier_id: UUID) -> str:
    """Returns the URL of the person's page with one carrier open."""
    return f"{reverse('person', args=[person_id])}?barare={carrier_id}"


def shown(request: HttpRequest, page: Open, form: Form | None, *, status: int = 200, **more: Any) -> HttpResponse:
    """Renders the step's page. Records the disclosure of the person's data first (ADR 0080)."""
    draft, step = page.draft, page.step
    head = person_view.person_head(actor=page.actor, person_id=draft.person_id)
    disclosures.record(actor=page.actor, person_id=draft.person_id, shown=disclosures.Shown.ORDER, subject=draft.pk)
    order = steps(photo=page.answers.photo)
    back = previous_step(step, photo=page.answers.photo)
    query_parameters = kept_form(request) or (request.POST if request.method == "POST" else request.GET)
    from_review = query_parameters.get("fran") == FROM_REVIEW
    if from_review:
        back = Step.REVIEW
    context = {
        "draft": draft,
        "form": form,
        "head": head,
        "photo_url": photo_url(head),
        "title": TITLES[step],
        "steps": [{"text": TITLES[one], "url": address(one, draft.pk)} for one in order],
        "current": order.index(step) + 1,
        "back_url": address(back, draft.pk) if back else reverse("person", args=[draft.person_id]),
        "fran": FROM_REVIEW if from_review else "",
        "resumed": request.GET.get("fortsatt") == "1",
        "problem": "" if form is not None and form.errors else page.answers.problems.get(step, ""),
        "outside": page.outside,
        "other_cards": other_cards.other_cards(actor=page.actor, person_id=draft.person_id) if step in _SHOWS_OTHER_CARDS else [],
        "sections": summary.sections(draft, page.answers, page.outside),
        **more,
    }
    return render_page(request, SEARCH, _TEMPLATES[step], context, status=status)


def changed_text(page: Open, error: DraftChanged) -> str:
    """Returns the text about changes from another tab, with the present values."""
    values = {
        Step.ORGANISATION: page.draft.post.organisation.name if page.draft.post else "",
        Step.ARTICLE: summary.article_name(page.draft.article) if page.draft.article else "",
        Step.PHOTO: "",
        Step.OFFICE: page.draft.office.name if page.draft.office else "",
    }
    names = {
        Step.ORGANISATION: _("organisation"),
        Step.ARTICLE: _("artikel"),
        Step.PHOTO: _("foto"),
        Step.OFFICE: _("kontor"),
    }
    listed = [f"{names[step]} ({values[step]})" if values[step] else names[step] for step in error.steps]
    return _("Beställningen har ändrats i en annan flik: %(what)s.") % {"what": ", ".join(listed) or _("den har återupptagits")}
