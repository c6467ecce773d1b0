"""The operators' room in Chromium at a real portal: each page by axe and at both widths, by keyboard alone, without script."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from authn.models import ClientCertificate, ServiceClient
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.stock.models import StockLevel
from pki.approvals import dual_control
from pki.domain.findings import Finding, Severity
from pki.health import checks, reports
from pki.hsm import inventory
from pki.models import (
    ApprovalAction,
    CaState,
    Certificate,
    CertificateAuthority,
    HealthReport,
    HealthSample,
    HsmKey,
    KeyCeremony,
    KeyInventory,
)
from siths_portal.lib import clock, workdays
from tests.e2e.hands import Both, Hands, Mouse
from tests.e2e.looking import Looker
from tests.issuance.operators.operators import operator
from tests.issuance.operators.test_ceremonies import DONE, failed
from tests.issuance.search.test_browser import desk
from tests.lib.faces import KeptPortal
from tests.pki.ceremony_people import Person, three, written
from tests.pki.orders import card, plan

ROOT = "root"
CA = "/pki/utfardare/person-hsaid-3/1/"
WHY = "Ersätts av generation 2"


@pytest.fixture(scope="module")
def portal(pki_snapshot: Any, kept_portal: KeptPortal) -> str:
    """A portal whose settings name the tests' own tokens and folders."""
    return kept_portal.url()


@pytest.fixture
def people(tmp_path: Path) -> list[Person]:
    return three(tmp_path)


@pytest.fixture
def file(people: list[Person], tmp_path: Path) -> Path:
    return written(people, tmp_path, DONE)


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def button(page: Page, name: str) -> Any:
    return page.get_by_role("main").get_by_role("button", name=name, exact=True)


def link(page: Page, name: str) -> Any:
    return page.get_by_role("main").get_by_role("link", name=name, exact=True).first


def refused(page: Page, eye: Looker, name: str) -> None:
    """The page came back with what is wrong, and the summary has the focus."""
    expect(page.get_by_role("alert")).to_be_focused()
    eye.look(page, name)


def open_all(page: Page) -> None:
    """Opens every row that opens, when all are there."""
    page.wait_for_load_state("load")
    for each in page.locator("main details:not(.functions-above) > summary").all():
        each.click()


def test_authorities_keys_and_certificates_are_looked_at(demo_pki: Any, world: Any, portal: str, browser: Browser) -> None:
    ids = plan(*card())
    demo_pki.settle()
    CertificateAuthority.objects.create(
        parent=CertificateAuthority.objects.get(slug="root"), slug="function", generation=2, file_stem="v2",
        common_name="DEMO SITHS e-id Function CA v2", definition_sha256="0" * 64,
        crl_period=dt.timedelta(hours=1), crl_validity=dt.timedelta(hours=48), created_at=clock.now(),
    )  # fmt: skip
    CertificateAuthority.objects.filter(slug="person-id-2").update(state=CaState.COMPROMISED)
    HsmKey.objects.filter(purpose="ocsp").exclude(label__contains="person").update(retired_at=clock.now())
    checks.measure()
    eye, number = Looker("operators"), Certificate.objects.get(pk=ids[0]).serial
    with desk(browser, portal, operator(world)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/pki/")
        expect(page.get_by_text("Planerad")).to_have_count(1)
        eye.look(page, "authorities")
        for address, name in (
            (CA, "authority"), (f"/pki/utfardare/{ROOT}/1/", ROOT), ("/pki/utfardare/function/2/", "planned authority"),
            ("/pki/utfardare/person-id-2/1/tillstand/", "no other state"), ("/pki/nycklar/", "keys"),
        ):  # fmt: skip
            page.goto(portal + address)
            open_all(page)
            eye.look(page, name)
        page.goto(f"{portal}/pki/certifikat/")
        eye.look(page, "certificate search")
        for text, name in ((number, "hits"), ("0123456789ABCDEF", "no hits"), ("åäö?", "search error")):
            page.locator("#id_text").fill(text)
            button(page, "Sök").click()
            page.wait_for_load_state("load")
            eye.look(page, name)
        page.goto(f"{portal}/pki/certifikat/{ids[0]}/")
        eye.look(page, "certificate")


def walk_to_another_state(browser: Browser, portal: str, world: Any, hands: Hands, see: Looker) -> None:
    """One operator asks for another state, a colleague approves it, and the first carries it out."""
    asker, colleague = operator(world), operator(world, "Nanna")
    with desk(browser, portal, asker) as page:
        see.follow(page.context)
        page.goto(portal + CA)
        hands.press(link(page, "Ändra tillstånd"))
        heading(page, "Ändra utfärdarens tillstånd")
        see.look(page, "ca state")
        hands.press(button(page, "Begär ändringen"))
        refused(page, see, "ca state refused")
        hands.choose(page.locator("input[value=retired]"))
        hands.write(page.get_by_label("Motivering"), WHY)
        hands.press(button(page, "Begär ändringen"))
        expect(page.get_by_role("status").filter(has_text="Ändringen är begärd.")).to_be_visible()
        see.look(page, "matter asked for")
        matter = page.url
        page.goto(f"{portal}{CA}tillstand/")
        see.look(page, "ca state asked for")
        page.goto(f"{portal}/pki/arenden/")
        see.look(page, "approvals")
    with desk(browser, portal, colleague) as page:
        see.follow(page.context)
        page.goto(matter)
        hands.press(link(page, "Besluta"))
        see.look(page, "decide")
        hands.press(button(page, "Spara beslutet"))
        refused(page, see, "decide refused")
        hands.choose(page.locator("input[value=approved]"))
        hands.press(button(page, "Spara beslutet"))
        expect(page.get_by_role("status").filter(has_text="Ditt beslut är sparat.")).to_be_visible()
        see.look(page, "matter approved")
    with desk(browser, portal, asker) as page:
        see.follow(page.context)
        page.goto(matter)
        hands.press(link(page, "Ta tillbaka ärendet"))
        see.look(page, "withdraw")
        hands.press(link(page, "Avbryt"))
        hands.press(link(page, "Genomför ändringen"))
        see.look(page, "carry out")
        hands.press(button(page, "Genomför ändringen"))
        expect(page.get_by_role("status").filter(has_text="Utfärdarens tillstånd är ändrat.")).to_be_visible()
        see.look(page, "authority retired")
        page.goto(matter)
        see.look(page, "matter carried out")


def retired() -> bool:
    return CertificateAuthority.objects.get(slug="person-hsaid-3", generation=1).state == CaState.RETIRED


def test_another_state_by_keyboard_alone(demo_pki: Any, world: Any, portal: str, browser: Browser) -> None:
    """Where the mouse could do it too; and each page is looked at."""
    walk_to_another_state(browser, portal, world, Both(), Looker("operators-state"))
    assert retired()


def walk_to_signatures(page: Page, portal: str, see: Looker, people: list[Person], file: Path, wrong: Path) -> None:
    """An operator lays a ceremony file in and hands in two signatures; by keyboard, where the mouse could do it too."""
    hands = Both()
    page.goto(f"{portal}/pki/ceremonier/")
    see.look(page, "ceremonies")
    hands.press(link(page, "Förbered en ceremoni"))
    see.look(page, "propose")
    lay_in(page, hands, wrong)
    refused(page, see, "propose refused")
    lay_in(page, hands, file)
    heading(page, "Prov")
    see.look(page, "proposal")
    hands.press(link(page, "Lämna in en underskrift"))
    see.look(page, "sign")
    hand_in(page, hands, wrong)
    refused(page, see, "sign refused")
    hand_in(page, hands, people[0].sign(file))
    taken(page, people[0])
    hands.press(link(page, "Lämna in en underskrift"))
    hand_in(page, hands, people[1].sign(file))
    taken(page, people[1])
    expect(page.get_by_text("Klar att genomföra")).to_be_visible()
    see.look(page, "proposal signed")


def lay_in(page: Page, hands: Hands, file: Path) -> None:
    hands.attach(page.get_by_label("Ceremonifil (YAML)"), file)
    hands.press(button(page, "Ladda upp filen"))


def hand_in(page: Page, hands: Hands, file: Path) -> None:
    hands.attach(page.get_by_label("Underskrift (.p7s)"), file)
    hands.press(button(page, "Lämna in underskriften"))


def taken(page: Page, person: Person) -> None:
    expect(page.get_by_role("status").filter(has_text=f"Underskriften av {person.name} stämmer")).to_be_visible()


def test_ceremonies_by_keyboard_as_by_mouse_and_looked_at(
    demo_pki: Any, world: Any, portal: str, browser: Browser, people: list[Person], file: Path, tmp_path: Path
) -> None:
    hands, eye, wrong = Both(), Looker("operators-ceremonies"), tmp_path / "wrong.yaml"
    wrong.write_text("ceremony: [\n")
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text() + "# 2\n")
    demo = KeyCeremony.objects.get().title
    failed(other)
    with desk(browser, portal, operator(world)) as page:
        eye.follow(page.context)
        walk_to_signatures(page, portal, eye, people, file, wrong)
        proposal = page.url
        hands.press(link(page, "Ta tillbaka ceremonin"))
        eye.look(page, "proposal withdraw")
        page.goto(f"{portal}/pki/ceremonier/")
        eye.look(page, "ceremonies prepared")
        for title, name in (("Prov", "ceremony cut off"), (demo, "ceremony finished")):
            page.goto(f"{portal}/pki/ceremonier/")
            page.get_by_role("region", name="Påbörjade och genomförda").get_by_role("link", name=title, exact=True).click()
            heading(page, title)
            open_all(page)
            eye.look(page, name)
        with page.expect_download() as saved:
            link(page, "Hämta protokollet (text)").click()
        assert Path(saved.value.path()).read_text().startswith("PROTOKOLL: ")
        page.goto(proposal)
        hands.press(link(page, "Ta tillbaka ceremonin"))
        hands.press(button(page, "Ta tillbaka ceremonin"))
        heading(page, "Nyckelceremonier")


def test_ceremonies_without_script(
    demo_pki: Any, world: Any, portal: str, browser: Browser, people: list[Person], file: Path, tmp_path: Path
) -> None:
    """Until the first signature: the forms of the others are the same."""
    hands, wrong = Mouse(), tmp_path / "wrong.yaml"
    wrong.write_text("ceremony: [\n")
    with desk(browser, portal, operator(world), java_script_enabled=False) as page:
        page.goto(f"{portal}/pki/ceremonier/")
        hands.press(link(page, "Förbered en ceremoni"))
        lay_in(page, hands, wrong)
        expect(page.get_by_role("alert")).to_be_focused()
        lay_in(page, hands, file)
        heading(page, "Prov")
        hands.press(link(page, "Lämna in en underskrift"))
        hand_in(page, hands, people[0].sign(file))
        taken(page, people[0])


def sampled_day() -> None:
    """Samples of a day, with an hour without any."""
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    HealthSample.objects.bulk_create(
        HealthSample(
            at=hour - dt.timedelta(hours=ago, minutes=-minutes),
            values={"MAC": ago % 7 * 20, "signering": ago % 5, "klocka": 0, "ocsp-lager": 2},
            ocsp_answers=(24 - ago) * (24 - ago) * 9000 + minutes * 2000,
        )
        for ago in range(1, 24)
        for minutes in (0, 5, 10)
        if ago != 9
    )


def test_the_health_page_is_looked_at(demo_pki: Any, world: Any, portal: str, browser: Browser) -> None:
    eye = Looker("operators-health")
    with desk(browser, portal, operator(world)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/pki/driftlage/")
        eye.look(page, "no report")
        fine = [each for each in checks.measure() if not each.severity]
        inventory.run()
        KeyInventory.objects.update(problems=[])
        reports.keep(fine)
        for chain in ("authn", "billing", "heads", "issuance", "pki"):
            reports.keep_audit_check(
                chain=chain, actor_ref="operator:x", ok=True, whole=True, checked=812, macs=812,
                text="812 sigill stämmer, 812 styrkta av HSM, ingen händelse väntar på sigill",
            )  # fmt: skip
        for name, ref in (("Kortfabriken Norr", "norr"), ("Nordkort", "nordkort")):
            client = ServiceClient.objects.create(client_ref=ref, kind="supplier", name=name)
            ends = clock.now() + dt.timedelta(days=200)
            ClientCertificate.objects.create(client=client, thumbprint=f"{ref:a<64}", not_after=ends)
        sampled_day()
        page.goto(f"{portal}/pki/driftlage/")
        eye.look(page, "all well")
        open_all(page)
        eye.look(page, "all well opened")
        reports.keep(
            [
                *fine,
                Finding("ca person-hsaid-3:1", Severity.WARNING, "active, certifikatet gäller 200 dagar till", "days", 200),
                Finding("crl function:1", Severity.ERROR, "nummer 7, 0 poster, 3 dagar gammal, har gått ut"),
            ]
        )
        reports.keep_audit_check(
            chain="pki", actor_ref="operator:x", ok=False, whole=False, checked=3, macs=None,
            text="FEL vid sigill 4: raden är ändrad (3 sigill stämmer); händelser från 2026-11-01 till nu är inte styrkta",
        )  # fmt: skip
        key = HsmKey.objects.first()
        KeyInventory.objects.update(
            problems=[{"kind": "missing", "token": key.token_label, "key_id": key.key_id, "label": key.label, "facts": {}}]  # type: ignore[union-attr]
        )
        CardOrder.objects.filter(pk=world.order().pk).update(supplier_ref="norr", ordered_at=clock.now() - dt.timedelta(hours=5))
        OrderItem.objects.update(sent_on=workdays.latest(clock.today(), 1)[0], dispatched_at=clock.now())
        StockLevel.objects.create(office=world.office, least=2)
        page.goto(f"{portal}/pki/driftlage/")
        eye.look(page, "troubles")
        page.goto(f"{portal}/pki/")
        eye.look(page, "authorities with troubles")
        HealthReport.objects.update(seen_at=clock.now() - dt.timedelta(hours=5))
        page.goto(f"{portal}/pki/driftlage/")
        eye.look(page, "old report")


def test_another_state_without_script(demo_pki: Any, world: Any, portal: str, browser: Browser) -> None:
    asker, colleague = operator(world), operator(world, "Nanna")
    with desk(browser, portal, asker, java_script_enabled=False) as page:
        page.goto(f"{portal}{CA}tillstand/")
        page.locator("input[value=retired]").check()
        page.get_by_label("Motivering").fill(WHY)
        button(page, "Begär ändringen").click()
        expect(page.get_by_role("status").filter(has_text="Ändringen är begärd.")).to_be_visible()
        matter = page.url
    row = dual_control.ApprovalRequest.objects.get(action=ApprovalAction.CA_STATE)
    with desk(browser, portal, colleague, java_script_enabled=False) as page:
        page.goto(matter)
        link(page, "Besluta").click()
        page.locator("input[value=approved]").check()
        button(page, "Spara beslutet").click()
        link(page, "Genomför ändringen").click()
        button(page, "Genomför ändringen").click()
        heading(page, "DEMO SITHS e-id Person HSA-id 3 CA v1")
    row.refresh_from_db()
    assert row.state == "used"
    assert retired()
