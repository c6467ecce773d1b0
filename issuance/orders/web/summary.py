"""The summary next to the steps, which grows with each answer and is reviewed at the last step (rules/issuance 3.1)."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from issuance.articles.models import Article
from issuance.orders.domain.drafts import Step
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services.draft_answers import Answers
from issuance.orders.services.draft_reading import LiveFacts
from issuance.people.models.persons import Post
from issuance.people.ports import RegisteredAddress
from issuance.records.queries import words


@dataclass(frozen=True)
class Section:
    """A heading with its rows; `step` is where they are chosen."""

    heading: str
    rows: list[dict[str, Any]]
    step: Step | None = None


def article_name(article: Article) -> str:
    """Returns an article's name in the form that all pages use."""
    return words.article(article.number, article.title)


def sections(draft: OrderDraft, answers: Answers, outside: LiveFacts) -> list[Section]:
    """Returns what is chosen so far. A section appears with its first chosen value."""
    found = []
    if draft.post is not None:
        found.append(Section(_("Organisation"), _organisation(draft, draft.post, answers), Step.ORGANISATION))
    found.append(Section(_("Person"), _person(draft)))
    if draft.post is not None:
        found.append(Section(_("Beställning"), _order(draft, outside), Step.ARTICLE))
    if draft.article is not None:
        found.append(Section(_("Faktura"), _invoice(draft), Step.OFFICE))
    return found


def _organisation(draft: OrderDraft, post: Post, answers: Answers) -> list[dict[str, Any]]:
    issuer, customisation = post.organisation.area.issuing_organisation, answers.customisation
    logotype = reverse("order_logotype_image", args=[draft.pk]) if customisation and customisation.logotype_id else ""
    return [
        {"label": _("Logotyp på kort"), "picture": logotype, "value": issuer.name if issuer else ""},
        {"label": _("Användarens organisation"), "value": post.organisation.name},
        {"label": _("Utfärdande organisation"), "value": issuer.name if issuer else ""},
        {"label": _("Utfärdarnummer"), "value": customisation.issuer_number if customisation else "", "code": True},
    ]


def _person(draft: OrderDraft) -> list[dict[str, Any]]:
    person, post = draft.person, draft.post
    rows: list[dict[str, Any]] = [
        {"label": _("Efternamn"), "value": person.surname},
        {"label": _("Förnamn"), "value": person.given_name_in_use},
    ]
    if post is not None:
        rows += [
            {"label": _("Tjänste-id"), "value": post.hsa_id, "code": True},
            {"label": _("UPN"), "value": post.upn, "address": True},
            {"label": _("E-postadress"), "value": post.mail, "address": True},
        ]
    return rows


def _order(draft: OrderDraft, outside: LiveFacts) -> list[dict[str, Any]]:
    note = _("Kortet skickas alltid dit personen är folkbokförd.")
    return [
        {"label": _("Artikel"), "value": article_name(draft.article) if draft.article is not None else ""},
        {"label": _("Skickas till"), "value": _delivery_text(draft, outside), "note": note},
    ]


def _delivery_text(draft: OrderDraft, outside: LiveFacts) -> str:
    if draft.person.is_protected:
        return _("via Skatteverkets förmedlingsuppdrag")
    if outside.down:
        return _("Adressen kan inte visas just nu")
    return _address_text(outside.address) if outside.address else _("Adress saknas i personregistret")


def _address_text(address: RegisteredAddress) -> str:
    country = [address.country] if address.country not in ("", "SE") else []
    return ", ".join([*address.lines, f"{address.postal_code} {address.city}", *country])


def _invoice(draft: OrderDraft) -> list[dict[str, Any]]:
    return [
        {"label": _("Kontor"), "value": draft.office.name if draft.office else ""},
        {
            "label": _("Beskrivning på faktura"),
            "value": draft.office.invoice_comment if draft.office else "",
            "note": _("Kontorets fakturakommentar") if draft.office else "",
        },
    ]
