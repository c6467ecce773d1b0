"""What is chosen on the page of an order, why it is proposed, and the options of each question."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.articles.models import Article
from issuance.authz import Actor
from issuance.offices.models import Office
from issuance.orders.domain.drafts import Step
from issuance.orders.domain.rules import DeliveryMethod
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.queries import order_draft
from issuance.orders.queries.order_draft import LastChoice, PhotoChoice, PostChoice, Product
from issuance.orders.services import order_checks
from issuance.orders.web.forms import NEW_FILE, OTHER_OFFICE
from issuance.people.models.persons import Post
from siths_portal.lib.ids import id_of

_KEYS = 9
MOST_OFFICES = 8
"""Offices that are shown as choices of their own if there are more than nine; a list has the others."""


@dataclass
class Chosen:
    """What the page offers, what is chosen, and the notes that say why. `problems` are answers that no longer hold,
    `working_days` is the measured delivery time of the supplier, and `new_file` means that a new photo is wanted.
    """

    posts: list[PostChoice] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    offices: list[Office] = field(default_factory=list)
    photos: list[PhotoChoice] = field(default_factory=list)
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    last: LastChoice | None = None
    working_days: int | None = None
    post: PostChoice | None = None
    product: Product | None = None
    article: Article | None = None
    office: Office | None = None
    photo: PhotoChoice | None = None
    new_file: bool = False
    notes: dict[str, str] = field(default_factory=dict)
    problems: dict[Step, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[Step]:
        """Returns the questions that are not answered."""
        answers = {Step.ORGANISATION: self.post, Step.ARTICLE: self.article, Step.OFFICE: self.office}
        found = [step for step, answer in answers.items() if answer is None]
        if self.article is not None and self.article.photo and self.photo is None:
            found.append(Step.PHOTO)
        return found

    @property
    def price(self) -> str:
        """Returns the price of the chosen article, or an empty text."""
        return kronor(self.prices.get(self.article.code)) if self.article else ""


def chosen(actor: Actor, draft: OrderDraft, sent: Mapping[str, Any] | None) -> Chosen:
    """Returns what is chosen: what was sent, else the draft's answer, else the only choice or what was used last."""
    values = sent if sent is not None else {}
    it = Chosen(posts=order_draft.post_choices(actor=actor, person_id=draft.person_id), photos=order_draft.photo_choices(draft))
    _choose_post(it, draft, values)
    if it.post is None:
        return it
    post = it.post.post
    it.products = order_draft.products(post.organisation_id)
    it.offices = order_checks.open_offices(post.organisation_id)
    supplier = it.post.customisation.supplier_ref if it.post.customisation else ""
    it.last, it.working_days = order_draft.last_and_delivery(
        actor=actor, organisation_id=post.organisation_id, supplier_ref=supplier
    )
    it.prices = order_draft.prices(post, it.products)
    _choose_article(it, draft, values)
    _choose_office(it, draft, values)
    _choose_photo(it, draft, values)
    return it


def kronor(price: Decimal | None) -> str:
    """Returns a price in words, or an empty text without a price."""
    if price is None:
        return ""
    return _("%(price)s kr") % {"price": number_format(price, 2, force_grouping=True)}


def article_code(products: Sequence[Product], number: str, delivery: str) -> str:
    """Returns the code of the article that the page's answers name; the number itself if it is not offered."""
    product = next((one for one in products if one.number == number), None)
    return product.delivered(delivery).code if product else number


def office_id(values: Mapping[str, Any]) -> UUID | None:
    """Returns the chosen office: a choice of its own, or one of the list of further offices."""
    picked = values.get("office") or ""
    return id_of(values.get("other_office") or "") if picked == OTHER_OFFICE else id_of(picked)


def _choose_post(it: Chosen, draft: OrderDraft, values: Mapping[str, Any]) -> None:
    offered = {choice.post.pk: choice for choice in it.posts if not choice.reason}
    wanted = id_of(values.get("post", "")) or draft.post_id
    it.post = offered.get(wanted) if wanted else None
    if draft.post is not None and draft.post_id not in offered:
        it.problems[Step.ORGANISATION] = _why_not(it.posts, draft.post)
    if it.post is not None or not offered:
        return
    if len(offered) == 1:
        it.post = next(iter(offered.values()))
    elif it.posts and (earlier := order_draft.last_post(draft.person_id, list(offered))):
        it.post = offered[earlier]
        it.notes["post"] = _("Samma som personens förra kort")


def _why_not(posts: list[PostChoice], post: Post) -> str:
    found = next((choice.reason for choice in posts if choice.post.pk == post.pk), "")
    if not found and post.ended_at is not None:
        found = _("Uppdraget är avslutat i HSA-katalogen. Välj ett annat uppdrag eller kontakta er HSA-administratör.")
    return found or _("Uppdraget ligger inte längre inom din behörighet. Välj ett annat uppdrag.")


def _choose_article(it: Chosen, draft: OrderDraft, values: Mapping[str, Any]) -> None:
    offered = {product.number: product for product in it.products}
    codes = {article.code: product for product in it.products for article in product.variants.values()}
    last = it.last.article_code if it.last and it.last.article_code in codes else ""
    stored = draft.article if draft.article is not None and draft.article_id in codes else None
    if draft.article is not None and stored is None and it.post is not None:
        text = _("%(organisation)s kan inte längre beställa artikeln %(code)s. Välj en annan.")
        it.problems[Step.ARTICLE] = text % {"organisation": it.post.post.organisation.name, "code": draft.article_id}
    it.product = offered.get(values.get("article", ""))
    if it.product is None and stored is not None:
        it.product = codes[stored.code]
    if it.product is None and last and Step.ARTICLE not in it.problems:
        it.product = codes[last]
    if it.product is None and len(offered) == 1:
        it.product = it.products[0]
    if it.product is None:
        return
    sent = values.get("delivery", "")
    known = [stored.code if stored else "", last]
    same = next((code for code in known if codes.get(code) is it.product), "")
    it.article = (
        it.product.delivered(sent)
        if sent
        else next(
            (article for article in it.product.variants.values() if article.code == same),
            it.product.delivered(DeliveryMethod.LETTER),
        )
    )
    if last and codes[last] is it.product:
        it.notes["article"] = _("Samma som i din senaste beställning")


def _choose_office(it: Chosen, draft: OrderDraft, values: Mapping[str, Any]) -> None:
    offered = {office.pk: office for office in it.offices}
    last = it.last.office_id if it.last else None
    if draft.office is not None and draft.office_id not in offered:
        text = _("Kontoret %(name)s är stängt eller inte kopplat till organisationen. Välj ett annat.")
        it.problems[Step.OFFICE] = text % {"name": draft.office.name}
    picked = office_id(values)
    it.office = offered.get(picked) if picked else None
    if it.office is None and draft.office_id is not None:
        it.office = offered.get(draft.office_id)
    if it.office is None and last is not None and Step.OFFICE not in it.problems:
        it.office = offered.get(last)
    if it.office is None and len(offered) == 1:
        it.office = it.offices[0]
    if it.office is not None and it.office.pk == last:
        it.notes["office"] = _("Samma som i din senaste beställning")


def _choose_photo(it: Chosen, draft: OrderDraft, values: Mapping[str, Any]) -> None:
    """Chooses the sent photo, else the draft's, else the stored one unless it is old: that one is to be compared first. None
    while a new file is wanted.
    """
    it.new_file = values.get("photo") == NEW_FILE
    sent = id_of(values.get("photo", ""))
    it.photo = next((choice for choice in it.photos if choice.photo.pk == sent), None)
    if it.photo is None and not it.new_file:
        usable = [choice for choice in it.photos if choice.photo.pk == draft.photo_id or not choice.old]
        it.photo = usable[0] if usable else None


def options_of_posts(it: Chosen) -> list[dict[str, Any]]:
    """Returns the options of Uppdrag. An assignment that cannot be chosen says why."""
    found = []
    for choice in it.posts:
        post = choice.post
        name = f"{choice.top}, {post.organisation.name}" if choice.top else post.organisation.name
        facts = (post.hsa_id, post.upn, post.mail if post.mail != post.upn else "")
        hint = "\N{NO-BREAK SPACE}· ".join(filter(None, facts))
        lines = [choice.reason, hint] if choice.reason else None
        found.append(_option(str(post.pk), name, hint, it.post is choice, disabled=bool(choice.reason), lines=lines))
    return with_keys(found)


def options_of_products(it: Chosen) -> list[dict[str, Any]]:
    """Returns the options of Kort, each with its number and the price of its usual delivery."""
    found = []
    for product in it.products:
        price = kronor(it.prices.get(product.delivered(DeliveryMethod.LETTER).code))
        number = _("artikel %(number)s") % {"number": product.number}
        hint = f"{price}, {number}" if price else number
        found.append(_option(product.number, product.name, hint, it.product is product))
    return with_keys(found)


def options_of_delivery(it: Chosen) -> list[dict[str, Any]]:
    """Returns the options of Så skickas kortet for the chosen card."""
    if it.product is None:
        return []
    variants = it.product.variants
    letter, registered = variants.get(DeliveryMethod.LETTER), variants.get(DeliveryMethod.REGISTERED_MAIL)
    found = []
    if letter is not None:
        hint = _("Ingår i priset") if letter.code in it.prices else ""
        found.append(_option(DeliveryMethod.LETTER.value, _("Vanligt brev"), hint, it.article is letter))
    if registered is not None:
        hint = _("REK%(price)s") % {"price": _more(it.prices, letter, registered)}
        found.append(_option(DeliveryMethod.REGISTERED_MAIL.value, _("Rekommenderat brev"), hint, it.article is registered))
    return with_keys(found)


def _more(prices: Mapping[str, Decimal], letter: Article | None, registered: Article) -> str:
    if registered.code not in prices:
        return ""
    if letter is None:
        return f", {_('ingår i priset')}"
    if letter.code not in prices:
        return ""
    more = prices[registered.code] - prices[letter.code]
    return f", {_('%(price)s till') % {'price': kronor(more)}}" if more > 0 else f", {_('ingår i priset')}"


def options_of_photos(it: Chosen) -> list[dict[str, Any]]:
    """Returns the options of Foto: each photo that there is, with its day and age, and a new file beside them."""
    found = []
    for choice in it.photos:
        label = _("Använd det sparade fotot") if choice.stored else _("Använd det nya fotot")
        found.append(_option(str(choice.photo.pk), label, _of_photo(choice), it.photo is choice))
    if found:
        found.append(_option(NEW_FILE, _("Välj en ny fil"), "", it.new_file) | {"part": "orders/new_file.html"})
    return with_keys(found)


def _of_photo(choice: PhotoChoice) -> str:
    """Returns when a photo was uploaded, how old it is, and when a stored one should be renewed."""
    hint = format_html(_("Foto uppladdat: {}"), _day(timezone.localtime(choice.photo.uploaded_at)))
    if choice.years:
        age = ngettext("(%(years)s år gammalt)", "(%(years)s år gammalt)", choice.years) % {"years": choice.years}
        hint = format_html("{} {}", hint, age)
    if choice.stored and not choice.old:
        hint = format_html(_("{}, bör bytas {}"), hint, _day(choice.renewal))
    return hint


def _day(day: dt.date) -> str:
    """Returns a day that stays in one line, since the text is narrow on a phone."""
    return format_html('<span class="nowrap">{}</span>', date_format(day, "Y-m-d"))


def adjustments(it: Chosen) -> list[tuple[str, str, str]]:
    """Returns what can be done to the chosen photo, with names and signs: nothing if it is approved."""
    if it.photo is None or it.photo.photo.framing is None:
        return []
    return [
        ("vrid-vanster", _("Vrid vänster"), "turn"), ("vrid-hoger", _("Vrid höger"), "turn"),
        ("narmare", _("Närmare"), "plus"), ("langre", _("Längre ifrån"), "minus"),
        ("upp", _("Upp"), "arrow"), ("ner", _("Ner"), "arrow"),
        ("vanster", _("Vänster"), "arrow"), ("hoger", _("Höger"), "arrow"),
    ]  # fmt: skip


def options_of_offices(it: Chosen) -> tuple[list[dict[str, Any]], list[Office]]:
    """Returns the options of Kontor, and the offices of the list if there are too many for one choice each.

    The proposed office comes first among many.
    """
    offices, more = it.offices, list[Office]()
    if len(offices) > _KEYS:
        last = it.last.office_id if it.last else None
        offices = sorted(offices, key=lambda office: (office.pk != last, it.office is not office))
        offices, more = offices[:MOST_OFFICES], sorted(offices[MOST_OFFICES:], key=lambda office: office.name.lower())
    found = [_option(str(office.pk), office.name, office.invoice_comment, it.office is office) for office in offices]
    if more:
        found.append(_option(OTHER_OFFICE, _("Annat kontor"), _("Välj i listan"), it.office in more))
    return with_keys(found), more


def _option(
    value: str, label: str, hint: str, checked: bool, *, disabled: bool = False, lines: list[str] | None = None
) -> dict[str, Any]:
    return {"value": value, "label": label, "hint": hint, "checked": checked, "disabled": disabled, "lines": lines}


def with_keys(options: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Gives each option that can be chosen the digit that picks it, as far as there are digits."""
    enabled = [option for option in options if not option["disabled"]]
    for number, option in enumerate(enabled[:_KEYS], 1):
        option["key"] = number
    return options
