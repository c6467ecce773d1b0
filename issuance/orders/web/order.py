"""The page of an order (rules/issuance 3.1): its answers, its photo, and Beställ kortet."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from issuance.orders.domain.drafts import DraftState
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.queries import order_draft
from issuance.orders.services import draft_photos, draft_steps, drafts
from issuance.orders.services.draft_steps import DraftChanged, DraftClosed
from issuance.orders.services.drafts import AnotherCard, Choices
from issuance.orders.web import choices, replacing
from issuance.orders.web.forms import NEW_FILE, OrderForm
from issuance.orders.web.page import address, by_script, changed_text, closed, led, opened, page_id, shown
from issuance.people.models.persons import Post
from issuance.records.web.frame import actor_of
from issuance.revocation.services import replacing as replacing_cards
from siths_portal.lib.errors import DomainError, Forbidden, Invalid, NotFound, TooManyRequests
from siths_portal.lib.files import framing
from siths_portal.lib.files.uploads import takes_files
from siths_portal.lib.ids import id_of
from siths_portal.lib.pages.error_pages import with_retry_after

_readable = require_http_methods(["GET", "HEAD", "POST"])


@_readable
def order(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Shows the page, stores its answers (`valj`), or orders the card."""
    if request.method != "POST":
        return _page(request, draft_id)
    if "valj" not in request.POST:
        return _order(request, draft_id)
    form, status = _as_sent(request), 200
    try:
        store(request, draft_id)
    except DraftChanged as error:
        if by_script(request):
            messages.warning(request, f"{_changed(request, draft_id, error)} {_('Sidan visar det som är sparat.')}")
            return led(request, address(draft_id))
        status = error.http_status
        form.add_error(None, f"{_changed(request, draft_id, error)} {_('Det du valde här står kvar, men är inte sparat.')}")
    except DraftClosed as error:
        return closed(request, error.draft)
    return _page(request, draft_id, form, status=status)


@takes_files
@_readable
def upload(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Hämta fotografi: stores the answers and the photo, and shows both. A GET, as after a login, redirects to the page."""
    if request.method != "POST":
        return redirect(address(draft_id))
    sent = request.POST.copy()
    sent["photo"] = NEW_FILE  # a file that is refused is seen where it was chosen, also if it was dropped there
    form, status = OrderForm(sent, request.FILES), Invalid.http_status
    refused = list(form.errors.get("file", []))
    form.errors.clear()
    file = request.FILES.get("file")
    try:
        store_what_fits(request, draft_id)
        if file is None or refused:
            form.add_error("file", refused or _("Välj en fil med fotografiet."))
        else:
            draft_photos.put_photo(actor=actor_of(request), draft_id=draft_id, content=file.read(), size=file.size)
            messages.success(request, _("Fotot är uppladdat. Granska det innan du beställer."))
            return redirect(address(draft_id))
    except (Invalid, TooManyRequests) as error:
        form.add_error("file", error.message)
        form.retry_after, status = getattr(error, "retry_after", None), error.http_status
    except DraftClosed as error:
        return closed(request, error.draft)
    return with_retry_after(_page(request, draft_id, form, status=status), form.retry_after)


@_readable
def adjust(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Turns or crops the uploaded photo, and shows it. A GET, as after a login, redirects to the page."""
    act = request.POST.get("valj")
    if request.method != "POST" or act not in framing.ACTS:
        return redirect(address(draft_id))
    try:
        store_what_fits(request, draft_id)
        photo_id = id_of(request.POST.get("photo", ""))
        draft_photos.adjust_photo(actor=actor_of(request), draft_id=draft_id, photo_id=photo_id, act=act)
    except Invalid as error:
        if by_script(request):
            messages.error(request, error.message)
            return led(request, address(draft_id))
        form = _as_sent(request)
        form.add_error("photo", error.message)
        return _page(request, draft_id, form, status=error.http_status)
    except DraftClosed as error:
        return closed(request, error.draft)
    return redirect(address(draft_id))


def store(request: HttpRequest, draft_id: UUID, *, strict: bool = False) -> OrderDraft:
    """Stores the answers that the page sent, without the invalid ones unless `strict`. Raises as `drafts.choose`."""
    values = request.POST
    post_id, number = id_of(values.get("post", "")), values.get("article", "")[:12]
    code = number or None
    if number and post_id is not None:
        organisation = Post.objects.filter(pk=post_id).values_list("organisation_id", flat=True).first()
        products = order_draft.products(organisation) if organisation else []
        code = choices.article_code(products, number, values.get("delivery", ""))
    version = values.get("version", "")
    return drafts.choose(
        actor=actor_of(request),
        draft_id=draft_id,
        version=int(version) if version.isdecimal() and len(version) < 10 else 0,
        choices=Choices(
            post_id,
            code if post_id else None,
            choices.office_id(values) if post_id else None,
            values.get("replacement_reason"),
            page=page_id(values),
        ),
        lenient=not strict,
    )


def store_what_fits(request: HttpRequest, draft_id: UUID) -> None:
    """Stores the answers unless another tab changed one of them; the page then shows the other tab's."""
    try:
        store(request, draft_id)
    except DraftChanged:
        return


def _order(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Beställ kortet. A refused order keeps every answer and explains where and why. A second click leads to the same page."""
    draft = draft_steps.get(actor=actor_of(request), draft_id=draft_id)
    if draft.order is not None:
        return redirect("order_done", draft_id)
    if draft.state != DraftState.OPEN:
        return closed(request, draft)
    form = OrderForm(request.POST)
    status = Invalid.http_status
    try:
        if _place(request, draft_id, form):
            return redirect("order_done", draft_id)
    except DraftClosed as error:
        return redirect("order_done", draft_id) if error.draft.order is not None else closed(request, error.draft)
    except (NotFound, Forbidden):
        raise
    except DraftChanged as error:
        form.add_error(None, f"{_changed(request, draft_id, error)} {_('Granska beställningen igen innan du beställer.')}")
        status = error.http_status
    except DomainError as error:
        status = error.http_status
        if set(error.fields) & set(form.fields):
            form.take(error)
        else:
            form.add_error(None, f"{error.message} {_('Beställningen är inte skickad, och det du valt är kvar.')}")
    return _page(request, draft_id, form, status=status)


def _place(request: HttpRequest, draft_id: UUID, form: OrderForm) -> bool:
    """Orders the card, or adds the errors of all answers to the form and returns False. Raises as `replacing.order`."""
    actor = actor_of(request)
    form.is_valid()
    if request.POST.get("office") and choices.office_id(request.POST) is None:
        form.errors["office"] = form.error_class([_("Välj kontor.")], renderer=form.renderer)
    if "post" in form.errors:  # without it the page asks nothing more
        form.errors.pop("article", None)
        form.errors.pop("office", None)
        return False
    try:
        draft = store(request, draft_id, strict=not form.errors)
    except Invalid as error:
        form.take(error)
        draft = draft_steps.get(actor=actor, draft_id=draft_id)
    photo_id = id_of(request.POST.get("photo", ""))
    with_photo = draft.article is not None and draft.article.photo and "article" not in form.errors
    if with_photo and photo_id is None:
        _ask_for_photo(request, draft, form)
    cards = _confirmed_cards(request, form)
    replacing.add_errors(draft, form)
    if form.errors:
        own = [draft.replaced_carrier_id] if draft.replaced_carrier_id else []
        try:
            drafts.require_confirmed(actor, draft.person_id, [*cards, *own])
        except AnotherCard as error:
            form.take(error)
        return False
    made = replacing_cards.order(
        actor=actor,
        draft_id=draft_id,
        version=draft.version,
        confirmed_cards=cards,
        photo_id=photo_id if with_photo else None,
        **replacing.origin(form),
    )
    if made.waits:
        messages.warning(request, _("Kortet är beställt. En kollega måste godkänna spärren av det gamla kortet."))
    return True


def _ask_for_photo(request: HttpRequest, draft: OrderDraft, form: OrderForm) -> None:
    """Adds the error of an order without a chosen photo, where it can be corrected."""
    if request.POST.get("file"):
        form.add_error("file", _("Fotot är inte hämtat än. Välj filen igen och sedan Hämta fotografi."))
    elif request.POST.get("photo") == NEW_FILE:
        form.add_error("file", _("Hämta ett fotografi, eller välj ett foto som redan finns."))
    elif order_draft.photo_choices(draft):
        form.add_error("photo", _("Jämför det sparade fotot med personen och välj det, eller hämta ett nytt."))
    else:
        form.add_error("file", _("Hämta ett fotografi, eller välj ett kort utan foto."))


def _confirmed_cards(request: HttpRequest, form: OrderForm) -> list[UUID]:
    """Returns the other cards that the page showed, if the box is ticked."""
    if not form.cleaned_data.get("another_card"):
        return []
    return [found for text in request.POST.getlist("beside") if (found := id_of(text)) is not None]


def _as_sent(request: HttpRequest) -> OrderForm:
    """Returns the sent form without errors: the page is only shown again."""
    form = OrderForm(request.POST)
    form.errors.clear()
    return form


def _changed(request: HttpRequest, draft_id: UUID, error: DraftChanged) -> str:
    return changed_text(draft_steps.get(actor=actor_of(request), draft_id=draft_id), error)


def _page(request: HttpRequest, draft_id: UUID, form: OrderForm | None = None, *, status: int = 200) -> HttpResponse:
    page = opened(request, draft_id)
    return page if isinstance(page, HttpResponse) else shown(request, page, form, status=status)
