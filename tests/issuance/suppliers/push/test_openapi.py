"""The committed description of the calls to a supplier against the simulated one: generated orders and changes, signed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from django.conf import settings as django_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from siths_portal.lib import clock
from siths_portal.lib.http import webhooks
from tests.api_walk import CALLS, EACH, Walk
from tests.issuance.suppliers.push.conftest import Receiver

DESCRIPTION = Path(django_settings.BASE_DIR) / "docs" / "wire" / "supplier-push.openapi.yaml"
ANSWERED = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
schema = schemathesis.openapi.from_path(DESCRIPTION)


@pytest.fixture
def portal(push_folder: Path) -> Iterator[requests.Session]:
    """The portal's connection."""
    with requests.Session() as made:
        made.trust_env = False
        made.cert = str(push_folder / "client.pem"), str(push_folder / "client.key")
        made.verify = str(push_folder / "ca.pem")
        yield made


@pytest.mark.soak
def test_a_walk_reaches_every_operation(running_receiver: Receiver, push_folder: Path, portal: requests.Session) -> None:
    """Only the portal can sign, so the calls are right ones. The supplier meets orders that it has, and changes of them."""
    running_receiver.clear()
    keys = webhooks.read_private_keys(push_folder / "signing.keys")

    def send(case: Any) -> requests.Response:
        body = json.dumps(case.body).encode() if case.operation.body else b""
        key = str(uuid4())
        signed = webhooks.signed_headers(keys, message_id=key, sent_at=clock.now(), body=body)
        headers = signed | {"Idempotency-Key": key, "Content-Type": "application/json"}
        address = f"{running_receiver.url}{case.formatted_path}"
        return portal.request(case.method, address, params=case.query, data=body, headers=headers, timeout=60)

    def known() -> list[dict[str, Any]]:
        return [{"id": order, "order": order} for order in running_receiver.orders()]

    walk = Walk(schema, send, known, checks=ANSWERED, errs=False)
    walk.go()
    assert walk.unreached() == {}
    assert walk.fewest >= EACH
    assert walk.calls >= CALLS
    running_receiver.clear()
