"""The five steps (rules/issuance 3.1). A GET shows a step, a POST stores its answer and goes on. The
views keep no other state.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from authn.web import kept_form
from issuance.orders.domain.drafts import Step, next_step
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.queries import order_draft
from issuance.orders.queries.order_draft import PostGroup
from issuance.orders.services import drafts, order_checks
from issuance.orders.services.drafts import AnotherCard, DraftChanged, DraftClosed, StepMissing
from issuance.orders.web.forms import ArticleForm, OfficeForm, OrganisationForm, PhotoForm, ReviewForm, StepForm, UploadForm
from issuance.orders.web.page import FROM_REVIEW, Open, address, changed_text, closed, opened, shown, to_carrier
from issuance.orders.web.summary import article_name
from issuance.people.models.persons import Post
from issuance.records.queries import words
from issuance.records.web.frame import actor_of
from siths_portal.lib.errors import DomainError, Forbidden, Invalid, NotFound, TooManyRequests
from siths_portal.lib.files.uploads import takes_files
from siths_portal.lib.ids import id_of
from siths_portal.lib.pages.error_pages import with_retry_after

Choices = Callable[[Open, StepForm | None], dict[str, Any]]
Answer = Callable[[StepForm], OrderDraft]
_readable = require_http_methods(["GET", "HEAD", "POST"])


def _answered(request: HttpRequest, draft_id: UUID, step: Step, form: StepForm, answer: Answer, choices: Choices) -> HttpResponse:
    """Stores the form's answer and goes on, or shows the step again with its errors and the chosen values."""
    status, changed = Invalid.http_status, None
    if form.is_valid():
        try:
            draft = answer(form)
        except Invalid as error:
            form.take(error)
        except DraftChanged as error:
            status, changed = error.http_status, error
        except StepMissing as error:
            return redirect(address(error.step, draft_id))
        except DraftClosed as error:
            return closed(request, error.draft)
        else:
            photo = draft.article.photo if draft.article else None
            back = form.cleaned_data["fran"] == FROM_REVIEW
            return redirect(address(Step.REVIEW if back else next_step(step, photo=photo), draft_id))
    page = opened(request, draft_id, step)
    if isinstance(page, HttpResponse):
        return page
    if changed is not None:
        form.add_error(None, f"{changed_text(page, changed)} {_('Det du valde här står kvar, men är inte sparat.')}")
    return shown(request, page, form, status=status, **choices(page, form))


def _show_step(
    request: HttpRequest, draft_id: UUID, step: Step, choices: Choices, make: type[StepForm] = StepForm
) -> HttpResponse:
    page = opened(request, draft_id, step)
    form = make() if kept_form(request) else None  # shows the chosen values
    return page if isinstance(page, HttpResponse) else shown(request, page, form, **choices(page, form))


def _step(
    request: HttpRequest, draft_id: UUID, step: Step, form: type[StepForm], answer: Answer, choices: Choices
) -> HttpResponse:
    """Shows and answers a step on one page."""
    if request.method != "POST":
        return _show_step(request, draft_id, step, choices, form)
    return _answered(request, draft_id, step, form(request.POST), answer, choices)


def _picked(form: StepForm | None, field: str, kept: object, offered: list[object]) -> str:
    """Returns the selected value: the one just posted, else the stored answer, else the only choice."""
    if form is not None and form.data.get(field):
        return str(form.data[field])
    if kept is not None and kept in offered:
        return str(kept)
    return str(offered[0]) if len(offered) == 1 else ""


@_readable
def organisation(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Val av organisation, with a filter that works without script. The filter text is in no URL."""
    if request.method != "POST":
        return _show_step(request, draft_id, Step.ORGANISATION, _posts, OrganisationForm)
    form = OrganisationForm(request.POST)
    if "filtrera" in request.POST:
        page = opened(request, draft_id, Step.ORGANISATION)
        if isinstance(page, HttpResponse):
            return page
        return shown(request, page, None, **_posts(page, form))

    def answer(form: StepForm) -> OrderDraft:
        return drafts.choose_post(**_arguments(request, draft_id, form), post_id=form.cleaned_data["post"])

    return _answered(request, draft_id, Step.ORGANISATION, form, answer, _posts)


def _posts(page: Open, form: StepForm | None) -> dict[str, Any]:
    groups = order_draft.post_choices(actor=page.actor, person_id=page.draft.person_id)
    offered: list[object] = [choice.post.pk for group in groups for choice in group.posts if not choice.reason]
    picked = _picked(form, "post", page.draft.post_id, offered)
    typed = str(form.data.get("filter", "")).strip()[:100] if form is not None else ""
    return {
        "groups": _filtered(groups, typed, picked),
        "first": str(offered[0]) if offered else "",
        "total": sum(len(group.posts) for group in groups),
        "picked": picked,
        "typed": typed,
    }


def _filtered(groups: list[PostGroup], typed: str, picked: str) -> list[PostGroup]:
    """Returns the assignments with the filter text in a name or id. The selected one always remains."""
    needle = typed.casefold()

    def matches(group: PostGroup, post: Post) -> bool:
        texts = (group.name, post.organisation.name, post.hsa_id, post.upn, post.mail)
        return str(post.pk) == picked or any(needle in text.casefold() for text in texts)

    kept = [PostGroup(group.name, [one for one in group.posts if matches(group, one.post)]) for group in groups]
    return [group for group in kept if group.posts]


@_readable
def article(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Välj artikel."""

    def answer(form: StepForm) -> OrderDraft:
        return drafts.choose_article(**_arguments(request, draft_id, form), article_code=form.cleaned_data["article"])

    return _step(request, draft_id, Step.ARTICLE, ArticleForm, answer, _articles)


def _articles(page: Open, form: StepForm | None) -> dict[str, Any]:
    post = page.draft.post
    offered = order_checks.orderable_articles(post.organisation_id) if post else []
    codes: list[object] = [one.code for one in offered]
    articles = [
        {
            "code": one.code,
            "name": words.article(one.number, one.name),
            "registered_mail": one.registered_mail,
            "shape": _shape(one),
        }
        for one in offered
    ]
    return {"articles": articles, "picked": _picked(form, "article", page.draft.article_id, codes)}


def _shape(article: Any) -> str:
    """Returns the drawing of the article in `static/img/cards.svg`."""
    return f"{article.orientation}-{'photo' if article.photo else 'plain'}"


@takes_files
@_readable
def photo(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Granska foto: the draft's photo or the person's stored one, for approval. A chosen file that is not uploaded yet is
    uploaded first, for review.
    """
    if request.FILES:
        return upload(request, draft_id)

    def answer(form: StepForm) -> OrderDraft:
        return drafts.approve_photo(**_arguments(request, draft_id, form), photo_id=form.cleaned_data["photo"])

    return _step(request, draft_id, Step.PHOTO, PhotoForm, answer, _photo)


@takes_files
@_readable
def upload(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Hämta fotografi, then back to review it. A GET, as after a login, redirects to the step."""
    if request.method != "POST":
        return redirect(address(Step.PHOTO, draft_id))
    form, status = UploadForm(request.POST, request.FILES), Invalid.http_status
    if form.is_valid():
        try:
            file = form.cleaned_data["file"]
            drafts.put_photo(actor=actor_of(request), draft_id=draft_id, content=file.read(), size=file.size)
        except (Invalid, TooManyRequests) as error:
            form.add_error("file", error.message)
            form.retry_after, status = getattr(error, "retry_after", None), error.http_status
        except DraftClosed as error:
            return closed(request, error.draft)
        else:
            messages.success(request, _("Fotot är uppladdat. Granska det innan du går vidare."))
            kept = f"?fran={FROM_REVIEW}" if form.cleaned_data["fran"] == FROM_REVIEW else ""
            return redirect(address(Step.PHOTO, draft_id) + kept)
    page = opened(request, draft_id, Step.PHOTO)
    if isinstance(page, HttpResponse):
        return page
    return with_retry_after(shown(request, page, form, status=status, **_photo(page, None) | {"upload": form}), form.retry_after)


def _photo(page: Open, form: StepForm | None) -> dict[str, Any]:
    upload = UploadForm()
    if form is not None and "photo" in form.errors:
        upload = UploadForm({}, {})
        upload.errors["file"] = form.errors["photo"]  # uploading a file resolves the error
    return {"choice": order_draft.photo_choice(page.draft), "upload": upload}


@_readable
def office(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Välj kontor."""

    def answer(form: StepForm) -> OrderDraft:
        return drafts.choose_office(**_arguments(request, draft_id, form), office_id=form.cleaned_data["office"])

    return _step(request, draft_id, Step.OFFICE, OfficeForm, answer, _offices)


def _offices(page: Open, form: StepForm | None) -> dict[str, Any]:
    post = page.draft.post
    offered = order_checks.open_offices(post.organisation_id) if post else []
    ids: list[object] = [one.pk for one in offered]
    return {"offices": offered, "picked": _picked(form, "office", page.draft.office_id, ids)}


@_readable
def review(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Förhandsgranska, and Beställ. A refused order keeps the draft and explains where and why."""
    if request.method != "POST":
        return _show_step(request, draft_id, Step.REVIEW, _check)
    form = ReviewForm(request.POST)
    form.is_valid()
    actor, version = actor_of(request), form.cleaned_data.get("version") or 0
    confirmed_cards = _shown_cards(request) if form.cleaned_data.get("another_card") else []
    try:
        order = drafts.submit(actor=actor, draft_id=draft_id, version=version, confirmed_cards=confirmed_cards)
    except StepMissing as error:
        return redirect(address(error.step, draft_id))
    except DraftClosed as error:
        return closed(request, error.draft)
    except (NotFound, Forbidden):
        raise
    except DomainError as error:
        return _not_ordered(request, draft_id, form, error)
    messages.success(request, _("Kortet är beställt. Det visas här med status Beställd."))
    return redirect(to_carrier(order.carrier.holder_id, order.carrier_id))


def _not_ordered(request: HttpRequest, draft_id: UUID, form: StepForm, error: DomainError) -> HttpResponse:
    page = opened(request, draft_id, Step.REVIEW)
    if isinstance(page, HttpResponse):
        return page
    if isinstance(error, AnotherCard):
        form.take(error)
    elif isinstance(error, DraftChanged):
        form.add_error(None, f"{changed_text(page, error)} {_('Granska beställningen igen innan du beställer.')}")
    else:
        form.add_error(None, f"{error.message} {_('Beställningen är inte skickad, och det du valt är kvar.')}")
    return shown(request, page, form, status=error.http_status, **_check(page, form))


def _check(page: Open, form: StepForm | None) -> dict[str, Any]:
    draft = page.draft
    return {
        "choice": order_draft.photo_choice(draft) if page.answers.photo else None,
        "urls": {step.name.lower(): f"{address(step, draft.pk)}?fran={FROM_REVIEW}" for step in Step if step is not Step.REVIEW},
        "article_name": article_name(draft.article) if draft.article else "",
        "review": form or ReviewForm(),
    }


def _shown_cards(request: HttpRequest) -> list[UUID]:
    """Returns the other cards that the page showed when the box was ticked."""
    return [found for text in request.POST.getlist("beside") if (found := id_of(text)) is not None]


def _arguments(request: HttpRequest, draft_id: UUID, form: StepForm) -> dict[str, Any]:
    return {"actor": actor_of(request), "draft_id": draft_id, "version": form.cleaned_data["version"] or 0}
