"""Så blir kortet: what will be made and where it goes, beside the questions of an order (rules/issuance 3.1)."""

import re
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.articles.models import Article
from issuance.carriers.domain import kinds
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.queries.delivery_times import arrives_on
from issuance.orders.queries.order_draft import PostChoice
from issuance.orders.services.draft_reading import LiveFacts
from issuance.orders.web.choices import Chosen
from issuance.people.models.persons import Person
from issuance.people.ports import RegisteredAddress
from issuance.records.queries import words
from siths_portal.lib import clock
from siths_portal.lib.pages.dates import weekday_in_words


def article_name(article: Article) -> str:
    """Returns an article's name in the form that all pages use."""
    return words.article(article.number, article.title)


def act_text(chosen: Chosen, name: str) -> str:
    """Returns what the button will order, in words with its price, or what is still to be chosen."""
    if chosen.article is None:
        return _("Kort till %(name)s") % {"name": name}
    what = _("%(article)s till %(name)s") % {"article": chosen.article.title, "name": name}
    return f"{what}, {chosen.price}" if chosen.price else what


def face(draft: OrderDraft, chosen: Chosen, photo_url: str) -> dict[str, Any]:
    """Returns the parameters of the drawn card."""
    article = chosen.article
    is_generic = article is not None and kinds.of_article(article.kind).generic_look
    issuer = chosen.post.post.organisation.area.issuing_organisation if chosen.post and not is_generic else None
    return {
        "photo_url": photo_url if article is not None and article.photo else "",
        "name": f"{draft.person.given_name_in_use} {draft.person.surname}",
        "monogram": "".join(word[:1] for word in (issuer.name if issuer else "").split() if word[:1].isalnum())[:3].upper(),
        "format": article.orientation if article is not None else "",
    }


def facts(draft: OrderDraft, chosen: Chosen, outside: LiveFacts) -> list[dict[str, Any]]:
    """Returns the facts that the clerk checks before the order."""
    rows: list[dict[str, Any]] = [{"label": _("Skickas till"), "value": delivery_text(draft.person, outside)}]
    if chosen.post is not None and not draft.person.is_protected:
        arrival = arrives_on(clock.today(), chosen.working_days)
        rows.append({"label": _("Framme omkring"), "value": weekday_in_words(arrival)})
    if chosen.article is not None:
        years = getattr(settings, kinds.of_article(chosen.article.kind).carrier_years)
        validity = ngettext("%(years)s år, tillitsnivå %(level)s", "%(years)s år, tillitsnivå %(level)s", years)
        values = {"years": years, "level": chosen.article.assurance_level}
        rows.append({"label": _("Gäller"), "value": validity % values})
        rows.append({"label": _("Artikel"), "value": article_name(chosen.article)})
    if chosen.office is not None:
        price = _("%(price)s utan moms") % {"price": chosen.price} if chosen.price else ""
        rows += [
            {"label": _("Kontor"), "value": chosen.office.name},
            {
                "label": _("Beskrivning på faktura"),
                "value": ", ".join(text for text in (chosen.office.invoice_comment, price) if text),
                "note": _("Kontorets fakturakommentar"),
            },
        ]
    return rows


def printed(draft: OrderDraft, post: PostChoice) -> list[dict[str, Any]]:
    """Returns everything that the card and its certificates will say."""
    organisation, customisation = post.post.organisation, post.customisation
    issuer = organisation.area.issuing_organisation
    logotype = (
        reverse("order_logotype_image", args=[draft.pk, post.post.pk]) if customisation and customisation.logotype_id else ""
    )
    return [
        {"label": _("Logotyp på kort"), "picture": logotype, "value": issuer.name if issuer else ""},
        {"label": _("Användarens organisation"), "value": organisation.name},
        {"label": _("Utfärdande organisation"), "value": issuer.name if issuer else ""},
        {"label": _("Utfärdarnummer"), "value": customisation.issuer_number if customisation else "", "code": True},
        {"label": _("Efternamn"), "value": draft.person.surname},
        {"label": _("Förnamn"), "value": draft.person.given_name_in_use},
        {"label": _("Tjänste-id"), "value": post.post.hsa_id, "code": True},
        {"label": _("UPN"), "value": post.post.upn, "parts": _parts(post.post.upn)},
        {"label": _("E-postadress"), "value": post.post.mail, "parts": _parts(post.post.mail)},
    ]


def _parts(address: str) -> list[str]:
    """Returns an e-mail address in the parts between which it may be broken: after @ and dots, and not at a hyphen."""
    return re.split(r"(?<=[@.])(?=[^\s@.])", address)


def delivery_text(person: Person, outside: LiveFacts) -> str:
    """Returns where a person's card is sent now: the registered address, or why the page does not show one."""
    if person.is_protected:
        return _("via Skatteverkets förmedlingsuppdrag")
    if outside.down:
        return _("Adressen kan inte visas just nu")
    return _address_text(outside.address) if outside.address else _("Adress saknas i personregistret")


def _address_text(address: RegisteredAddress) -> str:
    country = [address.country] if address.country not in ("", "SE") else []
    return ", ".join([*address.lines, f"{address.postal_code} {address.city}", *country])
