"""Every operation of the PKI API, asked by machines of each kind and by people of each role (S08, S09).

What each set of rights allows is walked in `tests/pki/clients/test_permissions.py`; here is who gets in at all, and as what.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pki.clients.permissions import RIGHTS
from pki.domain.client_names import ANY_NAME
from pki.models import CaState, Certificate, CertificateAuthority, ClientPermission
from siths_portal.lib import clock
from tests.access.faces import face
from tests.access.test_api_matrix import METHODS, api, call, described, each_undone, machines
from tests.access.walker import Answer
from tests.access.world import CALLERS, SUPPLIER, AccessWorld, undone
from tests.issuance import authorities
from tests.pki.clients.service import order

__all__ = ["api", "machines"]

PKI_API = described("pki/clients/api")
CA, PROFILE = "person-id-3", "person-id-auth"
UNKNOWN = "01ABCDEF"


BODIES: dict[str, Callable[[str], dict[str, Any] | None]] = {
    "order_certificate": lambda _serial: order(),
    "search_certificates": lambda serial: {"serial_prefix": serial[:40]},
    "read_certificate": lambda _serial: None,
    "revoke_certificate": lambda serial: {"issuer": CA, "serial": serial, "reason": "superseded"},
}
OK = {"order_certificate": 202}
EMPTY = '{"certificates":[],"next_cursor":null}'


def perform(operation: str, access: AccessWorld, *, unknown: bool = False, granted: str = "", **caller: Any) -> Answer:
    (answer,) = perform_as([caller], operation, access, unknown=unknown, granted=granted)
    return answer


def perform_as(
    callers: Iterable[dict[str, Any]], operation: str, access: AccessWorld, *, unknown: bool = False, granted: str = ""
) -> list[Answer]:
    """What each caller gets of what the operation names, which is made once; each finds it as the first did."""
    method, path = PKI_API[operation]
    with undone(), clock.moved_to(access.moment):
        root = CertificateAuthority.objects.get(slug="root")
        authorities.make_authority("function", "DEMO SITHS e-id Function CA v1", CaState.ACTIVE, root)
        if granted:
            rights = {f"may_{right}": True for right in RIGHTS} | {"names": [ANY_NAME]}
            for ca, profile in ((CA, PROFILE), ("function", "function")):
                ClientPermission.objects.create(client_ref=granted, ca=ca, profile=profile, changed_at=access.moment, **rights)
        row = Certificate.objects.filter(ca__slug=CA, profile_version__name=PROFILE, status="issued").first()
        assert row is not None
        serial = UNKNOWN if unknown else row.serial
        body = BODIES[operation](serial)
        if unknown and operation == "order_certificate":
            body = {**(body or {}), "issuer": "nothing"}
        address = path.replace("{issuer}", CA).replace("{serial}", serial)
        return [each_undone(method, address, body=body, **caller, **{"Idempotency-Key": "x"}) for caller in callers]


def test_every_operation_of_the_pki_api_has_a_row() -> None:
    assert set(BODIES) == set(PKI_API)


@pytest.mark.parametrize("operation", sorted(PKI_API))
class TestPkiApi:
    def test_a_service_with_the_rights(self, access: Any, machines: Any, api: None, operation: str) -> None:
        answer = perform(operation, access, granted="service", certificate=machines["service"])
        assert answer.status == OK.get(operation, 200)
        assert answer.body != EMPTY

    def test_a_service_without_rights(self, access: Any, machines: Any, api: None, operation: str) -> None:
        """The other's certificates are not there, nor the CA and profile that it orders by."""
        answer = perform(operation, access, granted="somebody-else", certificate=machines["service"])
        unknown = perform(operation, access, unknown=True, certificate=machines["service"])
        assert (answer.status, answer.headers, answer.queries) == (unknown.status, unknown.headers, unknown.queries)
        assert answer.body == unknown.body
        if operation == "search_certificates":
            assert (answer.status, answer.body) == (200, EMPTY)
        else:
            assert answer.status == 404

    def test_another_kind_of_client_and_a_stranger(self, access: Any, machines: Any, api: None, operation: str) -> None:
        callers = [{"certificate": machines[SUPPLIER]}, {"certificate": machines["stranger"]}, {}]
        assert [answer.status for answer in perform_as(callers, operation, access, granted=SUPPLIER)] == [403, 401, 401]

    def test_people_of_every_role(self, access: Any, machines: Any, api: None, operation: str) -> None:
        answers = set(perform_as(({"cookie": access.sessions[who]} for who in CALLERS), operation, access))
        assert {answer.status for answer in answers} == {401}
        assert not [sql for answer in answers for sql in answer.queries if "authn_session" in sql]

    def test_a_certificate_counts_behind_the_front_alone(self, access: Any, machines: Any, operation: str) -> None:
        with face("api", MTLS_CERTIFICATE_HEADER=""):
            assert perform(operation, access, granted="service", certificate=machines["service"]).status == 401


@pytest.mark.parametrize("path", sorted({path for _, path in PKI_API.values()}))
def test_a_method_that_is_no_operation_does_not_exist(access: Any, machines: Any, api: None, path: str) -> None:
    address = re.sub(r"\{\w+\}", UNKNOWN, path)
    for method in METHODS:
        if (method, path) not in PKI_API.values():
            with undone():
                assert call(method, address, certificate=machines["service"], body={}).status == 405, f"{method} {path}"
