"""URLs of the device API: the addresses of the eID app API, whose calls carry a start code or step token of a mobile eID here.

They are complete here, because the OpenAPI description is generated from this module. `beside` serves them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.views.decorators.csrf import csrf_exempt

from issuance.activation.api.v1.bearer import token_of
from issuance.activation.api.v1.urls import BASE
from issuance.mobile.api.v1 import views
from issuance.mobile.services import enrolments
from siths_portal.lib.rest.json_views import description_view

View = Callable[[HttpRequest], HttpResponseBase]

_CALLS: dict[str, View] = {
    f"{BASE}transaction/start": views.Start.as_view(),
    f"{BASE}transaction/certificates": views.Certificates.as_view(),
    f"{BASE}transaction/code-set": views.CodeSet.as_view(),
    f"{BASE}transaction/complete": views.Complete.as_view(),
    f"{BASE}transaction/cancel": views.Cancel.as_view(),
}
_DESCRIPTION = path(
    f"{BASE}mobile/openapi.yaml",
    login_not_required(description_view(Path(__file__).with_name("openapi.yaml"))),
    name="device-openapi",
)
urlpatterns = [*(path(route, view) for route, view in _CALLS.items()), _DESCRIPTION]


def beside(cards: Sequence[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """Returns the URLs `cards` of the eID app API, where calls with a secret of a mobile eID go to the device API."""
    return [_DESCRIPTION, *(_either(each) if isinstance(each, URLPattern) else each for each in cards)]


def _either(card: URLPattern) -> URLPattern:
    device = _CALLS.get(str(card.pattern))
    if device is None:
        return card

    @csrf_exempt
    @login_not_required
    def view(request: HttpRequest) -> HttpResponseBase:
        chosen = device if enrolments.is_of_mobile(token_of(request)) else card.callback
        return chosen(request)

    return path(str(card.pattern), view, name=card.name)
