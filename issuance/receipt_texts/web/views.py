"""Kvittenstext: reading and editing the regional addition to receipts and its versions (rules/issuance 7.3)."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action
from issuance.organisations.queries import places
from issuance.organisations.queries.places import OrganisationHead
from issuance.receipt_texts import queries as receipt_texts
from issuance.receipt_texts.models import ReceiptText
from issuance.receipt_texts.services import set_receipt_text, use_receipt_text_from_above
from issuance.receipt_texts.web.lists import TextVersionList
from issuance.records.services.editing import Outdated
from issuance.records.web.editing import EditForm, initial, saved, version_sent
from issuance.records.web.frame import actor_of
from issuance.records.web.places import demand_there, organisation_page
from siths_portal.lib.errors import Conflict


class ReceiptTextForm(EditForm):
    """The addition. The service validates it."""

    columns: ClassVar[Mapping[str, str]] = {"regional_addition": "regional_addition"}

    regional_addition = forms.CharField(
        label=gettext_lazy("Regionalt tillägg"),
        help_text=gettext_lazy("Skrivs på kvittenser från och med nu. Högst 5 000 tecken. Utan text läggs inget till."),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "cols": 72}),
    )


@require_safe
def organisation_receipt_texts(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Shows the current text and its versions to all who see the configuration. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    may_edit = Action.EDIT_RECEIPT_TEXT in head.rights
    context = {
        **_versions(request, organisation_id),
        "edit_url": reverse("organisation_receipt_text", args=[organisation_id]) if may_edit else "",
    }
    return organisation_page(request, "receipt_texts/receipt_texts.html", head, context, here="organisation_receipt_texts")


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_receipt_text(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Edits an organisation's addition to receipts, as a new version. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, Action.EDIT_RECEIPT_TEXT in head.rights)
    if "samma" in request.POST:
        return _use_from_above(request, organisation_id)
    form, status = None, 200
    if request.method == "POST":
        form = ReceiptTextForm(request.POST)
        made, status = saved(
            form,
            actor,
            lambda given: set_receipt_text(
                actor=actor,
                organisation_id=organisation_id,
                regional_addition=given["regional_addition"],
                version=given["version"],
            ),
        )
        if made is not None:
            _confirm_saved(request, head, made)
            return redirect("organisation_receipt_text", organisation_id)
    versions = _versions(request, organisation_id)
    context = {
        **versions,
        "head": head,
        "form": form or ReceiptTextForm(initial=initial(ReceiptTextForm, versions["found"])),
        "submit": _("Spara"),
        "cancel_url": reverse("organisation", args=[organisation_id]),
    }
    template, step = "receipt_texts/receipt_text.html", _("Redigera kvittenstext")
    return organisation_page(request, template, head, context, here="organisation", step=step, status=status)


def _confirm_saved(request: HttpRequest, head: OrganisationHead, made: ReceiptText) -> None:
    """Adds a message, with a warning about an empty text, since the user may have saved an unchanged empty form."""
    saved_, empty = _("Kvittenstexten är sparad."), _("Texten är tom, så inget läggs till på kvittenser")
    if made.regional_addition:
        messages.success(request, saved_)
    elif head.is_sub_organisation:
        messages.warning(request, f"{saved_} {empty}{_(', inte heller texten från organisationen ovanför.')}")
    else:
        messages.success(request, f"{saved_} {empty}.")


def _use_from_above(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Uses the text from above, unless the text has changed since the page was shown."""
    try:
        left = use_receipt_text_from_above(
            actor=actor_of(request), organisation_id=organisation_id, version=version_sent(request)
        )
    except Outdated:
        messages.error(request, _("Kvittenstexten ändrades sedan du öppnade sidan. Läs den igen."))
    except Conflict as error:
        messages.error(request, error.message)
    else:
        if left:
            messages.success(request, _("Texten från organisationen ovanför gäller."))
        else:
            messages.info(request, _("Texten från organisationen ovanför gällde redan."))
    return redirect("organisation_receipt_text", organisation_id)


def _versions(request: HttpRequest, organisation_id: UUID) -> dict[str, Any]:
    """Returns the context of `receipt_texts/receipt_versions.html`."""
    found = receipt_texts.receipt_texts(actor=actor_of(request), organisation_id=organisation_id)
    return {"found": found, "list": TextVersionList(request, found).shown()}
