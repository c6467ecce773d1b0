"""A customer with an address for it gets an e-mail about each issued invoice, without anybody's data but that address."""

import datetime as dt
import email
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from email import policy
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from prometheus_client import REGISTRY

from billing.delivery.models import Notice
from billing.delivery.services import notices
from billing.service import run_month
from siths_portal.lib import clock
from tests.billing.facts import local
from tests.billing.world import APRIL, IN_MAY, REGION, customer, made_once, slide_prices

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("mail")
    command = [sys.executable, "manage.py", "mail_simulator", "--bind", "127.0.0.1:0", "--folder", str(folder)]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r":(\d+)", process.stdout.readline())
    assert found
    yield int(found[1]), folder
    process.terminate()
    process.wait()


@pytest.fixture
def issued(facts: Any, server: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An issued invoice of a customer with an address, and the folder of the mail server."""
    port, folder = server
    options = {"host": "127.0.0.1", "port": port, "timeout": 20}
    backend = "django.core.mail.backends.smtp.EmailBackend"
    monkeypatch.setattr(settings, "MAILERS", {"default": {"BACKEND": backend, "OPTIONS": options}})
    for file in folder.iterdir():
        file.unlink()

    def make() -> None:
        slide_prices()
        customer(REGION, notice_email="ekonomi@region.example")
        facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
        run_month(APRIL, actor_ref="user:test", issue=True)

    made_once("one issued with a notice", facts, make)
    return folder


def test_the_customer_is_told_once(issued: Path) -> None:
    assert (notices.send_due(), notices.send_due()) == (1, 0)
    [file] = issued.glob("*.eml")
    mail: Any = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    assert mail["To"] == "ekonomi@region.example"
    assert mail["Subject"] == "Faktura 2023-000001 från Demo e-legitimationer AB"
    assert mail["Message-ID"].startswith("<invoice-2023-000001@")
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert "april 2023" in text
    assert not re.search(r"\d{6,8}-?\d{4}", text.replace("2023-000001", "")), "no number of a person"


def test_a_refused_address_ends_it_and_a_server_that_is_down_does_not(issued: Path) -> None:
    behaviour = issued / "behaviour.json"
    behaviour.write_text(json.dumps({"refuse": 450}))
    failed = REGISTRY.get_sample_value("mails_total", {"outcome": "failed"}) or 0
    notices.send_due()
    assert REGISTRY.get_sample_value("mails_total", {"outcome": "failed"}) == failed + 1
    assert Notice.objects.get().state == "waiting"
    behaviour.write_text(json.dumps({"refuse": 550}))
    with clock.moved_to(IN_MAY + dt.timedelta(minutes=5)):
        notices.send_due()
    notice = Notice.objects.get()
    assert (notice.state, notice.next_at) == ("refused", None)
    assert "550" in notice.reason
    behaviour.unlink()


def test_a_clock_that_was_ahead_delays_no_notice(issued: Path) -> None:
    with clock.moved_to(IN_MAY - dt.timedelta(days=60)):
        assert (notices.send_due(), Notice.objects.get().state) == (1, "sent")


def test_a_customer_without_an_address_gets_none(facts: Any, prices: None) -> None:
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    run_month(APRIL, actor_ref="user:test", issue=True)
    assert not Notice.objects.exists()
