"""The committed description against the running face: generated calls, right and wrong, over mutual TLS."""

import itertools
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings

from pki.models import Certificate
from tests.api_walk import CALLS, EACH, Names, Walk
from tests.described import CHECKS, GENERATED, PHASES, wrong_data_is_rejected
from tests.pki.clients.service import csr, issued, new_key, order, signed_order

pytestmark = pytest.mark.django_db(transaction=True)

DESCRIPTION = Path(__file__).resolve().parents[3] / "pki" / "clients" / "api" / "v1" / "openapi.yaml"
schema = schemathesis.openapi.from_path(DESCRIPTION)
LAWFUL = 10 if os.environ.get("SITHS_LONG") else 2


@pytest.fixture
def api_environment() -> dict[str, str]:
    """Budgets that generated calls do not meet, and no waiting."""
    budgets = (f"PKI_API_{operation}_PER_MINUTE" for operation in ("ORDERS", "REVOCATIONS", "READS", "SEARCHES"))
    return dict.fromkeys(budgets, "100000") | {"CERTIFICATE_WAIT_SECONDS": "0"}


@pytest.fixture
def session(stage):
    """Service a's connection."""
    with requests.Session() as made:
        made.trust_env = False
        made.cert, made.verify = stage.certificates["a"], str(stage.server_ca)
        yield made


@pytest.fixture
def rows(demo_pki) -> list[Certificate]:
    """Certificates in every state."""
    from tests.pki import orders

    made = [issued(demo_pki, f"function:{number}") for number in range(2)]
    for state in ("reserved", "failed"):
        ids = orders.plan(orders.order("function", subject_ref=f"function:{state}"))
        Certificate.objects.filter(pk__in=ids).update(status=state)
        made += Certificate.objects.select_related("ca").filter(pk__in=ids)
    return made


@pytest.fixture
def known(rows: list[Certificate]) -> "itertools.cycle[Certificate | None]":
    """The certificates, and now and then none."""
    return itertools.cycle([*rows, None])


@pytest.mark.soak
@schema.parametrize()
@settings(
    max_examples=GENERATED, deadline=None, derandomize=True, phases=PHASES,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_every_answer_is_as_described(case, stage, session, known) -> None:
    parameters = case.path_parameters or {}
    if "serial" in parameters and (row := next(known)):
        parameters |= {"issuer": row.ca.slug, "serial": row.serial}
        case.path_parameters = parameters
    body, lawful = case.body, case.meta.generation.mode.is_positive
    if lawful and isinstance(body, dict) and "serial" in body and (row := next(known)):
        body |= {"issuer": row.ca.slug, "serial": row.serial}
    answer = case.call(base_url=stage.base_url, session=session, verify=session.verify, cert=session.cert)
    case.validate_response(answer, checks=CHECKS)


@pytest.mark.parametrize("number", range(LAWFUL))
def test_what_succeeds_is_as_described_too(stage, session, known, number: int, worker) -> None:
    """Generated orders seldom hold a lawful key and name."""
    key, operation = f"lawful-{number}", schema["/api/pki/v1/certificates"]["POST"]
    body = signed_order(new_key(), key, subject_ref=f"function:x{number}")
    if number % 2:
        body = {name: value for name, value in body.items() if name not in ("public_key", "proof")} | {"csr": csr()}
    case = operation.Case(headers={"Idempotency-Key": key}, body=body, media_type="application/json")
    answer = case.call_and_validate(
        base_url=stage.base_url, session=session, verify=session.verify, cert=session.cert,
        checks=[check for check in CHECKS if check is not wrong_data_is_rejected],
    )  # fmt: skip
    assert answer.status_code in (201, 202)


@pytest.mark.soak
def test_a_walk_reaches_every_operation(stage, session, rows: list[Certificate], worker) -> None:
    """Certificates are ordered, read, found and revoked, by generated and by lawful calls."""
    named: list[Names] = [{"issuer": row.ca.slug, "serial": row.serial} for row in rows]
    chance, numbers = Random(3), itertools.count()

    def heard(operation: str, _called: Names, body: Any) -> None:
        if operation == "order_certificate":
            named.append({name: body[name] for name in ("issuer", "serial")})

    def ordered(_names: Names, key: str) -> dict[str, Any]:
        subject = f"function:{next(numbers)}"
        return order(subject_ref=subject) if chance.random() < 0.5 else signed_order(new_key(), key, subject_ref=subject)

    lawful = {
        "order_certificate": ordered,
        "search_certificates": lambda names, _key: {"serial_prefix": names.get("serial", "0" * 20), "limit": 1},
        "revoke_certificate": lambda names, _key: {"issuer": "function", "serial": "00", "reason": "superseded"} | names,
    }
    wire = {"base_url": stage.base_url, "session": session, "verify": session.verify, "cert": session.cert, "timeout": 60}
    walk = Walk(schema, lambda case: case.call(**wire), lambda: named, heard, lawful)
    walk.go()
    assert walk.unreached() == {}
    assert walk.fewest >= EACH
    assert walk.calls >= CALLS
