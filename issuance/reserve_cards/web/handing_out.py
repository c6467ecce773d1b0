"""Nytt SITHS eID reservkort: the page on which an officer hands out a card to a person."""

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from authn.web import require_recent_login
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.web import handles
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from issuance.reserve_cards.queries import reserve_cards as query
from issuance.reserve_cards.queries.reserve_cards import NewCardPage
from issuance.reserve_cards.services import handing_out
from issuance.reserve_cards.services.handing_out import HandOut
from issuance.reserve_cards.web.forms import NewReserveCardForm
from siths_portal.lib.errors import Conflict, Invalid, Unavailable


@require_http_methods(["GET", "HEAD", "POST"])
def reserve_card(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Hands out a reserve card. The activation follows or, on level 3, the officer's signature. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    page = query.new_card_page(actor=actor, person_id=person_id)
    if request.method != "POST":
        return _shown(request, page, NewReserveCardForm(page=page))
    form = NewReserveCardForm(request.POST, page=page)
    if not form.is_valid():
        return _shown(request, page, form, status=Invalid.http_status)
    if step_up := require_recent_login(request, dt.timedelta(seconds=settings.ACTIVATION_LOGIN_MAX_AGE)):
        return step_up
    given = form.cleaned_data
    wanted = HandOut(
        post_id=UUID(given["post"]),
        card_serial=given["card_serial"],
        assurance_level=given["assurance_level"],
        last_day=given["last_day"],
        identity_document=given["identity_document"],
    )
    try:
        done = handing_out.hand_out(actor=actor, wanted=wanted)
    except Invalid as error:
        form.take(error)
        return _shown(request, page, form, status=error.http_status)
    except (Conflict, Unavailable) as error:
        return _shown(request, page, form, status=error.http_status, refusal=error.message)
    if done.opened is not None:
        handles.keep(request, done.opened)
        return redirect("reserve_card_statement", done.opened.transaction.pk)
    own = _("Reservkortet är knutet till personen. Innehavaren kan aktivera det på Mina sidor, eller här tillsammans med dig.")
    visit = _("Reservkortet är knutet till personen. Aktivera det tillsammans med innehavaren.")
    messages.success(request, own if done.issue.identification_id else visit)
    return redirect("activate", done.issue.carrier_id)


def _shown(
    request: HttpRequest, page: NewCardPage, form: NewReserveCardForm, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    disclosures.record(actor=actor_of(request), person_id=page.head.id, shown=Shown.PERSON)
    context = {
        "head": page.head,
        "photo_url": photo_url(page.head),
        "form": form,
        "posts": page.posts,
        "refusal": refusal,
        "person_url": reverse("person", args=[page.head.id]),
    }
    return render_page(request, SEARCH, "reserve_cards/new.html", context, status=status)
