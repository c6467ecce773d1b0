"""The base of the views of the supplier API."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from issuance.suppliers.api.v1 import problems
from issuance.suppliers.push.services import connections
from siths_portal.lib.rest.json_views import JsonView, client_ref
from siths_portal.lib.rest.throttles import ClientThrottle

BODY_LIMIT = 2 * 1024 * 1024
"""The largest request body in bytes, that of the TLS proxy before the API (`client_max_body_size`)."""


class IsSupplier(BasePermission):
    """The permission of card suppliers. Other machine clients are refused."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Returns True for clients of kind supplier. A caller without a client certificate is unauthenticated."""
        return getattr(request.user, "kind", None) == "supplier"


class SupplierView(JsonView):
    """The base of the views of this API."""

    permission_classes = [IsSupplier]
    throttle_classes = [ClientThrottle]
    problem_texts = problems.TEXTS
    body_limit = BODY_LIMIT
    rate_setting = "SUPPLIER_API_CALLS_PER_MINUTE"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Admits the call, and notes that the supplier was heard."""
        super().initial(request, *args, **kwargs)
        connections.heard(client_ref(request))
