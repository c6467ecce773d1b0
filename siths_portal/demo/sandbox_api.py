"""The check that the API answers the supplier under test, and not another program on its port."""

import json

from siths_portal.demo import tls
from siths_portal.lib.errors import DomainError
from siths_portal.lib.http.client import Client


class ApiFault(RuntimeError):
    """The address of the supplier API is not answered by this portal, or not as the supplier under test."""


def require_answer() -> str:
    """Calls `GET me` as the supplier under test. Returns how that supplier gets its orders: `pull` or `push`. Raises ApiFault."""
    identity = tls.sandbox_identity()
    certificate, key = str(identity.certificate_file), str(identity.key_file)
    client = Client(tls.supplier_api(), certificate=certificate, key=key, ca_bundle=str(identity.folder / "ca.pem"))
    try:
        told = json.loads(client.get("/me").content)
        ref, delivery = told["client_ref"], str(told["delivery"])
    except (DomainError, OSError, ValueError, TypeError, KeyError) as error:
        cause = error.code if isinstance(error, DomainError) else type(error).__name__
        raise ApiFault(f"GET {client.base_url}/me does not answer as this portal's API ({cause}): what has its port?") from None
    if ref != tls.SANDBOX_REF:
        raise ApiFault(f"GET {client.base_url}/me answers as {ref}, not as {tls.SANDBOX_REF}")
    return delivery
