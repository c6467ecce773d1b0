"""A process that dies at a named point of a mobile eID's enrolment: the device repeats its call, and there is one mobile eID."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from issuance.carriers.models import Carrier
from issuance.mobile.models import MobileEnrolment, MobileRequest
from issuance.records.models.events import Event
from pki.models import Certificate
from tests.faults.tally import Tally
from tests.forking import forked
from tests.issuance.mobile.enrolled import Device, browser

pytestmark = pytest.mark.django_db(transaction=True)
RUNS = 3 if os.environ.get("SITHS_LONG") else 1
"""A holder may have three mobile eIDs."""
START = "issuance.mobile.start.after-commit"
CERTIFICATES = "issuance.mobile.certificates.after-commit"
COMPLETE = ("issuance.mobile.complete.before-commit", "issuance.mobile.complete.after-commit")


@pytest.fixture
def dies(tmp_path: Path) -> Callable[[str, Callable[[], object]], None]:
    """Runs a call in a process that dies at the point."""
    armed = tmp_path / "armed"
    armed.mkdir()

    def run(point: str, call: Callable[[], object]) -> None:
        (armed / point).touch()
        assert forked(call, armed) == -signal.SIGKILL
        assert not (armed / point).exists()

    return run


def test_a_device_that_repeats_after_each_death_gets_one_mobile_eid(
    card: Carrier, maker: Any, dies: Callable[[str, Callable[[], object]], None], tally: Tally
) -> None:
    names = [f"Telefon {number}" for number in range(RUNS)]
    for name in names:
        device, offered = Device(maker, name), browser(card).offered()
        dies(START, lambda device=device, offered=offered: device.start(offered.handle))
        device.start(offered.handle)
        dies(CERTIFICATES, lambda device=device, offered=offered: device.ask(offered.enrolment))
        device.certify(offered.enrolment)
        device.sign()  # here, since what a dead process has signed is gone
        for point in COMPLETE:
            dies(point, device.confirm)
        device.confirm()
        mobiles = Carrier.objects.filter(kind="mobile_eid", state="active")
        tally.run([name], mobiles.filter(device=name).values_list("device", flat=True), "active mobile eIDs")
    completed = Event.objects.filter(action="mobile_enrolment.completed").values_list("subject_ref", flat=True)
    tally.run(map(str, MobileEnrolment.objects.values_list("pk", flat=True)), completed, "completed enrolments")
    wanted = [str(id_) for asked in MobileRequest.objects.all() for id_ in asked.certificate_ids.values()]
    issued = Certificate.objects.filter(profile_version__name__startswith="mobile-", status="issued").values_list("id", flat=True)
    tally.run(wanted, map(str, issued), "certificates")
