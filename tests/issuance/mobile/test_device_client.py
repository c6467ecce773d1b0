"""A mobile eID by the device simulator's client and a software device, through the forms of the device API."""

from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings as live_settings
from django.test import Client, override_settings
from requests.adapters import BaseAdapter

from issuance.carriers.models import Carrier
from issuance.mobile.models import MobileRequest
from pki.issuing.certifying import certify as certify_in_the_worker
from siths_portal.simulators.device import ROOT, Device, DeviceClient, Maker, devices
from siths_portal.simulators.eid_app_errors import BadHandle, PortalRefused
from siths_portal.wiring import urls_minasidor
from tests.issuance.mobile.enrolled import browser

pytestmark = pytest.mark.usefixtures("demo_pki")
CODE = "47110815"


def post(path: str, body: bytes, headers: dict[str, str]) -> Any:
    """The answer of Mina sidor."""
    with override_settings(ROOT_URLCONF=urls_minasidor.__name__):
        return Client().post(path, body, content_type="application/json", headers=headers)


class OurViews(BaseAdapter):
    """Hands the device's calls to the views of this process."""

    def send(self, request: Any, *_arguments: Any, **_options: Any) -> requests.Response:
        """The answer to one call."""
        headers = {"Authorization": request.headers["Authorization"], "Accept": "application/json"}
        path = request.url.removeprefix(live_settings.MINASIDOR_BASE_URL)
        answer = post(path, request.body, headers)
        response = requests.Response()
        response.status_code, response._content = answer.status_code, answer.content
        response.headers.update(answer.headers)
        return response

    def close(self) -> None:
        """Holds nothing."""


def work(_seconds: float) -> None:
    """The worker's part, while the app waits for an answer."""
    for request in MobileRequest.objects.all():
        certify_in_the_worker(request.pk)


def client_of(device: Device, maker: Maker) -> DeviceClient:
    made = DeviceClient(live_settings.MINASIDOR_BASE_URL, device, maker, sleep=work)
    made._session.mount("http://", OurViews())
    return made


def test_the_secret_decides_whether_the_call_is_for_a_card_or_a_device() -> None:
    told = set()
    for token in ("act.AAAAAAAAAAAAAAAAAAAAAA", "mob.AAAAAAAAAAAAAAAAAAAAAA"):
        answer = post("/api/eidapp/v1/transaction/cancel", b"{}", {"Authorization": f"Bearer {token}"})
        told.add((answer.status_code, answer.json()["detail"]))
    assert {status for status, _detail in told} == {401}
    assert len(told) == 2


def test_a_device_gets_a_mobile_eid_and_a_second_one_does_not(card: Carrier, settings: Any, tmp_path: Path) -> None:
    settings.EID_APP_WAIT_SECONDS = 0
    maker = Maker(tmp_path / "devices" / "maker")
    maker.prepare()
    maker.prepare()
    settings.DEVICE_ATTESTATION_ROOTS = str(maker.folder / ROOT)
    phone, other = (Device.make(tmp_path / "devices", name) for name in ("Telefon", "Platta"))
    assert [device.name for device in devices(tmp_path / "devices")] == ["Platta", "Telefon"]
    offered = browser(card).offered()
    with pytest.raises(BadHandle):
        client_of(phone, maker).enrol("act." + "A" * 22, CODE)
    client_of(phone, maker).enrol(offered.handle, CODE)
    carrier = Carrier.objects.get(kind="mobile_eid")
    assert (carrier.state, carrier.device) == ("active", "Telefon")
    assert set(phone.card.certificates()) == {"mobile-auth", "mobile-sign"}
    with pytest.raises(PortalRefused, match="enrolment-ended"):
        client_of(other, maker).enrol(offered.handle, CODE)
