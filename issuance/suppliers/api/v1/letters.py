"""`GET puk`: the PUK of a letter, once."""

from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.suppliers.api.v1 import problems
from issuance.suppliers.api.v1 import serializers as forms
from issuance.suppliers.api.v1.base import SupplierView
from issuance.suppliers.services import letters
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.json_views import client_ref

RETRY_SECONDS = 2


class Puk(SupplierView):
    """The PUK of a letter."""

    @extend_schema(
        operation_id="read_puk",
        summary="The PUK of a letter, once, encrypted to the supplier's letter certificate",
        parameters=[openapi.RETRY_AFTER],
        responses={
            200: forms.PukLetter,
            202: OpenApiResponse(forms.Pending, description="It is being encrypted; ask again."),
            **problems.responses(*problems.ORDER, *problems.LETTER),
        },
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """Returns 200 with the PUK once, and then 410. The letter is in production from then on. Returns 202 while the PUK is
        being encrypted.
        """
        seconds = settings.CERTIFICATE_WAIT_SECONDS
        puk_jwe = letters.read_puk(client_ref=client_ref(request), order_id=order_id, seconds=seconds)
        if puk_jwe is None:
            return Response({"status": "pending"}, status=202, headers={"Retry-After": str(RETRY_SECONDS)})
        return Response({"puk_jwe": puk_jwe})
