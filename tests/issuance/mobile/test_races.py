"""Two devices at the same start code, two persons with one device, and a fourth mobile eID, at once: one wins. 20 rounds."""

import os
from typing import Any

import pytest

from issuance.carriers.models import Carrier
from issuance.mobile.models import MobileEnrolment
from issuance.mobile.services import device_start
from siths_portal.lib.errors import Conflict
from tests.at_once import at_once
from tests.issuance.mobile.enrolled import Device, browser
from tests.rewinding import rewinder

pytestmark = [pytest.mark.usefixtures("demo_pki"), pytest.mark.soak, pytest.mark.timeout(1800)]
ROUNDS = 200 if os.environ.get("SITHS_LONG") else 20


def test_two_devices_read_the_same_code(card: Carrier, maker: Any) -> None:
    offered = browser(card).offered()
    proofs = [Device(maker, name).proof(offered.handle) for name in ("En", "Två")]
    rewind = rewinder()
    with at_once(2) as run:
        for _ in range(ROUNDS):
            rewind()
            ready = list(proofs)
            (told,) = run(lambda ready=ready: device_start.start(handle=offered.handle, proof=ready.pop()))
            assert isinstance(told, Conflict), told
            assert told.code == "handle-taken"
            assert Carrier.objects.filter(kind="mobile_eid").count() == 1
            row = MobileEnrolment.objects.get()
            assert (row.state, row.device_key_sha256 in {proof.key_sha256 for proof in proofs}) == ("started", True)
