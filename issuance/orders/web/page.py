"""The page of an order: whether it may be shown, and everything on it."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_htmx.http import HttpResponseClientRedirect

from authn.web import kept_form
from issuance.authz import Actor
from issuance.orders.domain.drafts import DraftState, Step
from issuance.orders.domain.replacements import REASONS
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.queries import other_cards
from issuance.orders.services import draft_reading
from issuance.orders.services.draft_reading import LiveFacts
from issuance.orders.services.draft_steps import DraftChanged
from issuance.orders.web import choices, replacing, summary
from issuance.orders.web.choices import Chosen
from issuance.orders.web.forms import OrderForm
from issuance.orders.web.replacing import ReplacedCard
from issuance.people.services import disclosures
from issuance.records.domain import wording
from issuance.records.web.frame import SEARCH, actor_of, render_page

_NAMES = {
    Step.REPLACEMENT: gettext_lazy("orsak"),
    Step.ORGANISATION: gettext_lazy("uppdrag"),
    Step.ARTICLE: gettext_lazy("kort"),
    Step.PHOTO: gettext_lazy("foto"),
    Step.OFFICE: gettext_lazy("kontor"),
}


_PAGE_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Open:
    """An open draft with the data of its page."""

    actor: Actor
    draft: OrderDraft
    outside: LiveFacts


def address(draft_id: UUID) -> str:
    """Returns the URL of a draft's page."""
    return reverse("order", args=[draft_id])


def page_id(values: Mapping[str, Any]) -> str:
    """Returns the id of the page that sent the values, or an empty text. Each showing of the page in a tab has one of its own."""
    sent = values.get("page", "")
    return sent if _PAGE_ID.fullmatch(sent) else ""


def by_script(request: HttpRequest) -> bool:
    """Returns whether the page's script asks, which takes only the form out of the answer, and nothing out of an error."""
    return bool(request.headers.get("HX-Request"))


def led(request: HttpRequest, url: str) -> HttpResponse:
    """Returns a redirect that the browser follows also if the page's script asks."""
    return HttpResponseClientRedirect(url) if by_script(request) else redirect(url)


def opened(request: HttpRequest, draft_id: UUID) -> Open | HttpResponse:
    """Returns the draft, or a redirect if it is closed. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    draft, outside = draft_reading.read(actor=actor, draft_id=draft_id)
    if draft.state != DraftState.OPEN:
        return closed(request, draft)
    return Open(actor, draft, outside)


def closed(request: HttpRequest, draft: OrderDraft) -> HttpResponse:
    """Redirects to the sent order, or to the person, with a message about the draft's end."""
    if draft.order is not None:
        messages.info(request, _("Beställningen är redan skickad."))
        return led(request, reverse("order_done", args=[draft.pk]))
    messages.info(request, _("Beställningen är avbruten. Välj Nytt SITHS eID ordinarie kort för att fortsätta med den."))
    return led(request, reverse("person", args=[draft.person_id]))


def shown(request: HttpRequest, page: Open, form: OrderForm | None = None, *, status: int = 200) -> HttpResponse:
    """Renders the page with what was sent, if anything was. Records the disclosure of the person's data first (ADR 0080)."""
    draft, outside = page.draft, page.outside
    sent = form.data if form is not None else kept_form(request)
    if form is None:
        form = OrderForm(sent or {})
        form.errors.clear()
    chosen = choices.chosen(page.actor, draft, sent)
    disclosures.record(actor=page.actor, person_id=draft.person_id, shown=disclosures.Shown.ORDER, subject=draft.pk)
    _mark_problems(form, chosen)
    name = f"{draft.person.given_name_in_use} {draft.person.surname}"
    offices, more_offices = choices.options_of_offices(chosen)
    photo_address = _photo_address(draft, chosen)
    replaced = replacing.replaced_card(draft, form, sent)
    others = other_cards.other_cards(actor=page.actor, person_id=draft.person_id)
    beside = [card for card in others if card.id != draft.replaced_carrier_id]
    context = {
        "draft": draft,
        "form": form,
        "page_id": page_id(sent or {}) or secrets.token_hex(8),
        "chosen": chosen,
        "name": name,
        "person_id": wording.person_number(outside.person_id.kind, outside.person_id.value) if outside.person_id else "",
        "lead": _lead(chosen, replaced, _to_confirm(form, replaced, has_others=bool(beside)) if chosen.post else ""),
        "live": by_script(request),
        "replaced": replaced,
        "posts": choices.options_of_posts(chosen),
        "products": choices.options_of_products(chosen),
        "delivery": choices.options_of_delivery(chosen),
        "photos": choices.options_of_photos(chosen),
        "photo_url": photo_address,
        "adjustments": choices.adjustments(chosen),
        "offices": offices,
        "more_offices": more_offices,
        "face": summary.face(draft, chosen, photo_address if chosen.photo else ""),
        "facts": summary.facts(draft, chosen, outside),
        "printed": summary.printed(draft, chosen.post) if chosen.post else [],
        "act_text": summary.act_text(chosen, name),
        "resumed": request.GET.get("fortsatt") == "1",
        "outside": outside,
        "other_cards": beside,
    }
    return render_page(request, SEARCH, "orders/order.html", context, status=status)


def _mark_problems(form: OrderForm, chosen: Chosen) -> None:
    """Adds what no longer holds in the draft as errors, unless the form has another error there or a new answer was sent."""
    for step, problem in chosen.problems.items():
        if step.value not in form.errors and not form.data.get(step.value):
            form.errors[step.value] = form.error_class([problem], renderer=form.renderer)


def _photo_address(draft: OrderDraft, chosen: Chosen) -> str:
    """Returns the URL of the chosen photo, or of the first one that there is."""
    photo = chosen.photo or (chosen.photos[0] if chosen.photos else None)
    return reverse("order_photo_image", args=[draft.pk, photo.photo.pk]) if photo else ""


def _to_confirm(form: OrderForm, replaced: ReplacedCard | None, *, has_others: bool) -> str:
    """Returns what the clerk has yet to confirm: one card more beside others, or the digits of a card that the order revokes."""
    if has_others and "another_card" not in form.data:
        return _("bekräfta att personen ska ha ett kort till")
    if replaced is not None and replaced.revokes_first and not form.data.get("confirm"):
        return _("skriv de 4 sista siffrorna på det gamla kortet")
    return ""


def _lead(chosen: Chosen, replaced: ReplacedCard | None, confirm: str) -> str:
    """Returns the sentence that says what is proposed and why, or what remains. `confirm` is what to confirm, or empty."""
    asked = [Step.REPLACEMENT] if replaced is not None and not replaced.reason else []
    if missing := [*asked, *chosen.missing]:
        first = (Step.REPLACEMENT, Step.ORGANISATION)
        names = [str(_NAMES[step]) for step in missing if step in first or chosen.post is not None]
        listed = f"{', '.join(names[:-1])} {_('och')} {names[-1]}" if len(names) > 1 else names[0]
        if confirm:
            return _("Välj %(what)s och %(confirm)s. Resten är ifyllt.") % {"what": listed, "confirm": confirm}
        return _("Välj %(what)s. Resten är ifyllt.") % {"what": listed} if chosen.post else _("Välj %(what)s.") % {"what": listed}
    if confirm:
        return capfirst(_("%(confirm)s. Resten är ifyllt.") % {"confirm": confirm})
    if "article" in chosen.notes and "office" in chosen.notes:
        return _("Allt är ifyllt som i din senaste beställning. Ändra det som inte stämmer och beställ.")
    return _("Allt är ifyllt. Kontrollera uppgifterna och beställ.")


def changed_text(draft: OrderDraft, error: DraftChanged) -> str:
    """Returns the text about changes from another tab, with the present values."""
    values = {
        Step.REPLACEMENT: wording.label(REASONS, draft.replacement_reason) if draft.replacement_reason else "",
        Step.ORGANISATION: draft.post.organisation.name if draft.post else "",
        Step.ARTICLE: summary.article_name(draft.article) if draft.article else "",
        Step.PHOTO: "",
        Step.OFFICE: draft.office.name if draft.office else "",
    }
    listed = [f"{_NAMES[step]} ({values[step]})" if values[step] else str(_NAMES[step]) for step in error.steps]
    return _("Beställningen har ändrats i en annan flik: %(what)s.") % {"what": ", ".join(listed) or _("den har återupptagits")}
