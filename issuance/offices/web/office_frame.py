"""The frame of an office's pages."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.offices.queries import OfficeHead
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, object_page, object_tabs
from issuance.records.web.places import way_to_area

_TABS = (
    ("office", gettext_lazy("Uppgifter")),
    ("office_history", gettext_lazy("Historik")),
)


def office_page(
    request: HttpRequest,
    template: str,
    head: OfficeHead,
    context: Mapping[str, Any] | None = None,
    *,
    here: str,
    step: str = "",
    status: int = 200,
) -> HttpResponse:
    """Renders a page about an office: a tab, or with `step` a page below it. `here` is the URL name of the tab."""
    return object_page(
        request,
        ADMINISTRATION,
        template,
        context,
        name=head.name,
        kind=_("Kontor"),
        way=[*way_to_area(head.area, head.name), Crumb(head.name, reverse("office", args=[head.id]))],
        step=step,
        tabs=object_tabs(_TABS, head.id, here),
        functions=_functions(head),
        status=status,
    )


def _functions(head: OfficeHead) -> Iterator[Link]:
    if head.may_keep_stock:
        yield Link(_("Reservkort i lager"), reverse("office_stock", args=[head.id]))
    if head.may_link:
        reason = _("Kontoret är stängt.") if head.closed else ""
        yield Link(_("Koppla organisation"), reverse("office_connect", args=[head.id]), not reason, reason)
    if head.may_edit and not head.closed:
        yield Link(_("Stäng kontoret"), reverse("office_close", args=[head.id]))
