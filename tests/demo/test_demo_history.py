"""A month of history: through the services, with the directory simulator as a process, once however often it is loaded."""

import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from billing.records.domain.periods import Month
from issuance import service
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.organisations.ports import OrganisationDirectory
from issuance.people.adapters.directory_json import JsonDirectory
from issuance.people.adapters.person_register_json import JsonPersonRegister
from issuance.people.models.persons import Post
from issuance.people.ports import PersonRegister, StaffDirectory
from issuance.people.queries.scope_check import scope_faults
from issuance.records.models.events import Event
from issuance.roles.services.actors import actor_of_person
from pki.models import Certificate
from siths_portal.demo import history, loading
from siths_portal.demo.ordering import find_case
from siths_portal.lib import clock, ports
from siths_portal.lib.database import feeds
from tests.demo.loaded import load_demo
from tests.issuance.authorities import make_authorities


@pytest.fixture
def demo(transactional_db: None, settings: Any, tmp_path: Path) -> None:
    """The demo, and the CAs that its cards' certificates are planned with."""
    settings.VAR_DIR = tmp_path
    load_demo(200, "authorities", make_authorities)


@pytest.fixture
def neighbours(demo: None) -> Iterator[None]:
    """Catalogue and register, served by the simulator."""
    before = {port: ports.get(port) for port in (OrganisationDirectory, StaffDirectory, PersonRegister)}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "directory_simulator", "--bind", "127.0.0.1:0"]
    with subprocess.Popen([*command, "--data", str(loading.directory_file())], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        for port in (OrganisationDirectory, StaffDirectory):
            ports.connect(port, JsonDirectory(url))
        ports.connect(PersonRegister, JsonPersonRegister(url))
        yield
        process.terminate()
    for port, adapter in before.items():
        ports.connect(port, adapter)


def load(month: str) -> str:
    out = StringIO()
    call_command("demo_history", month=month, stdout=out)
    return out.getvalue()


def test_a_month_is_loaded_once_and_can_be_invoiced(neighbours: None) -> None:
    month = Month.of_day(clock.today().replace(day=1)).previous()
    text = f"{month.first_day:%Y-%m}"
    said = load(text)
    assert "60 kort i bruk" in said
    assert f"{history.ORDERS} kort skickade" in said
    facts = service.billable_facts(feeds.START, limit=100)
    assert len(facts) == history.ORDERS == service.sent_pieces(month.start, month.end)["card"]
    assert all(month.start <= fact.ordered_at <= fact.occurred_at < month.end for fact in facts)
    assert {fact.article_code for fact in facts} == {"631", "631-REK", "689"}
    assert len({fact.office_id for fact in facts}) >= 4
    (count,) = service.subscription_counts(month.end)
    assert (count.organisation_name, count.direct, count.persons) == ("Borås stad", False, 25)
    assert Carrier.objects.filter(state="active").count() == 60
    assert Carrier.objects.filter(state="sent").count() == history.ORDERS
    assert Certificate.objects.filter(ca__slug="demo-bulk", status="issued").count() == 4 * (60 + history.ORDERS)
    assert scope_faults().ok
    for model, name in ((Carrier, "carrier"), (CardOrder, "order")):
        for row in model.objects.all():
            assert Event.objects.filter(subject_type=name, subject_ref=str(row.pk)).exclude(subject_seq=None).count() == row.seq
    before = Event.objects.count()
    assert load(text) == said
    assert Event.objects.count() == before
    card = Carrier.objects.filter(state="sent").earliest("pk")
    of_nobody = {"kind": "reserve_card", "state": "ordered", "organisation": card.organisation, "article": card.article}
    Carrier.objects.create(**of_nobody, valid_from=card.valid_from, valid_to=card.valid_to, created_at=card.created_at)
    case = find_case()  # the demo's walk still finds somebody, also while a bundle with cards of nobody is on its way
    assert not Carrier.objects.filter(person=case.holder.person_id).exists()
    officer = actor_of_person(case.clerk.person_id)
    assert Post.objects.visible_to(officer).filter(hsa_id=case.holder.hsa_id).exists()
    assert case.office.connections.filter(organisation__posts__hsa_id=case.holder.hsa_id).exists()


def test_what_was_left_half_done_is_gone_on_with(neighbours: None, monkeypatch: pytest.MonkeyPatch) -> None:
    month = Month.of_day(clock.today().replace(day=1)).previous()
    text = f"{month.first_day:%Y-%m}"
    bind, calls = history._bind, []

    def fails_at_the_seventh(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 7:
            raise KeyboardInterrupt
        bind(*arguments)

    monkeypatch.setattr(history, "_bind", fails_at_the_seventh)
    with pytest.raises(KeyboardInterrupt):
        load(text)
    monkeypatch.setattr(history, "_bind", bind)
    assert f"{history.ORDERS} kort skickade" in load(text)
    assert CardOrder.objects.count() == history.ORDERS


def test_wrong_use(authorities: None, subtests: pytest.Subtests) -> None:
    """The same rows for all, since none of them is acted on."""
    for month in ("2026", "2026-13", "2999-01"):
        with subtests.test(month=month):
            with pytest.raises(CommandError) as refused:
                call_command("demo_history", month=month)
            assert refused.value.returncode == 2


def test_a_neighbour_that_is_down_is_told(demo: None) -> None:
    before = {port: ports.get(port) for port in (OrganisationDirectory, StaffDirectory, PersonRegister)}
    for port in (OrganisationDirectory, StaffDirectory):
        ports.connect(port, JsonDirectory("http://127.0.0.1:1"))
    month = Month.of_day(clock.today().replace(day=1)).previous()
    with pytest.raises(CommandError, match="upstream-unreachable") as refused:
        load(f"{month.first_day:%Y-%m}")
    assert refused.value.returncode == 1
    for port, adapter in before.items():
        ports.connect(port, adapter)
