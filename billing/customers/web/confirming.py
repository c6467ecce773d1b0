"""The page on which the customer's own responsible issuer reads the data of invoicing and confirms them."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.customers.services import confirmations
from billing.customers.web import facts
from billing.records.web.page import actor_of, page
from siths_portal.lib.errors import DomainError, NotFound

HERE = "customer_own"


@require_http_methods(["GET", "HEAD", "POST"])
def customer_own(request: HttpRequest) -> HttpResponse:
    """Shows the data of the actor's own customers. POST confirms one version."""
    actor = actor_of(request)
    own = confirmations.own(actor)
    refusal, status = "", 200
    if request.method == "POST":
        try:
            party_id, version_id = (UUID(request.POST.get(name, "")) for name in ("kund", "version"))
            confirmations.confirm(actor=actor, party_id=party_id, version_id=version_id)
        except ValueError:
            refusal, status = _("Formuläret är inte komplett. Läs uppgifterna igen och bekräfta sedan."), 422
        except NotFound:
            raise
        except DomainError as error:
            refusal, status, own = error.message, error.http_status, confirmations.own(actor)
        else:
            messages.success(request, _("Tack! Kunduppgifterna är bekräftade."))
            return redirect(HERE)
    shown = [(each, getattr(each, "confirmation", None), facts.sections(each)) for each in own]
    context = {"shown": shown, "refusal": refusal, "unconfirmed": sum(found is None for _each, found, _facts in shown)}
    return page(request, "billing/customers/own.html", context, here=HERE, status=status)
