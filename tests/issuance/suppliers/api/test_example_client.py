"""The client of the guide (docs/supplier/example), a Node process over mutual TLS, with each case of the sandbox."""

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.issuance.suppliers.api import sweeping
from tests.issuance.suppliers.api.relay import Relay, relay
from tests.issuance.suppliers.api.stage import ROOT, wait_for
from tests.issuance.suppliers.api.world import World

pytestmark = pytest.mark.django_db(transaction=True)
CLIENT = ROOT / "docs" / "supplier" / "example" / "client.mjs"


def said(**options: Any) -> str:
    """What `demo_sandbox` prints."""
    out = StringIO()
    call_command("demo_sandbox", stdout=out, **options)
    return out.getvalue()


def verdicts() -> dict[str, str]:
    """The verdict of each case of the first round."""
    from siths_portal.demo import sandbox

    return {one.case.code: one.verdict for one in sandbox.outcomes(1)}


@pytest.fixture
def sandbox_stage(stage: Any, settings: Any, tmp_path: Path, demo_pki: Any) -> Any:
    """The running API, which answers 202 to each request for certificates; the organisations of the demo, an officer, and the
    supplier under test.
    """
    from issuance.authz import Role
    from issuance.organisations.models import Organisation
    from issuance.people.models.persons import Post
    from issuance.people.services import catalogue
    from issuance.roles.services import role_assignment
    from pki import service as pki
    from siths_portal.demo import people, places, sandbox, tls
    from siths_portal.lib import clock
    from tests.issuance.world import qualify
    from tests.pki.letter_printer import Printer
    from tests.tls import DAY

    settings.DEBUG, settings.VAR_DIR, settings.API_BASE_URL = True, tmp_path, stage.base_url
    stage.start_api(CERTIFICATE_WAIT_SECONDS="0")
    if "sandbox" not in stage.certificates:
        stage.give("sandbox", stage.clients_ca.issue("sandbox", not_after=clock.now() + 90 * DAY))
    printer = Printer(tls.SANDBOX_REF)
    printer.certify(demo_pki)
    (der,) = (view.der for view in pki.certificates([printer.certificate]))
    (stage.folder / "sandbox-letter.pem").write_bytes(_pem(der))
    identity = tmp_path / "sandbox"
    identity.mkdir()
    certificate, key = stage.certificates["sandbox"]
    for name, source in (("client.pem", certificate), ("client.key", key), ("ca.pem", stage.server_ca)):
        (identity / name).write_bytes(Path(source).read_bytes())
    (identity / "letter.key").write_bytes(printer.private_pem)
    (identity / "root.pem").write_bytes(_pem(pki.chain("root")[0]))
    stage.register(stage.entry(tls.SANDBOX_REF, "sandbox") | {"letter_certificate": "sandbox-letter.pem"})
    people.write_directory(stage.people, 0, sandbox.everyone())
    places.load_places()
    officer = people.person(0)
    catalogue.register_people(actor=places.SETUP, people=[officer.for_catalogue()])
    person = Post.objects.get(hsa_id=officer.posts[0].hsa_id).person_id
    qualify(person)
    top = Organisation.objects.get(hsa_id=sandbox.PLAIN.parent)
    role_assignment.assign_role(
        actor=places.SETUP, person_id=person, role=Role.ID_ADMINISTRATOR, protected_persons=True, organisation_id=top.pk
    )
    return stage


class ExampleClient:
    """The command, with a folder of its own and connections that are cut now and then."""

    def __init__(self, network: Relay, folder: Path) -> None:
        self.folder, self.network = folder / "records", network
        self.identity = folder / "sandbox"
        (self.identity / "api").write_text(f"https://localhost:{network.port}/api/supplier/v1\n")
        self.told = ""

    def __call__(self, *words: str) -> str:
        places = ["--id", str(self.identity), "--state", str(self.folder)]
        command = ["node", str(CLIENT), *words, *places, "--rsa", "677"]
        done = sweeping.run(command)
        self.told += done.stdout + done.stderr
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def example(sandbox_stage: Any, tmp_path: Path) -> Iterator[ExampleClient]:
    with relay(sandbox_stage.house.port("api")) as network:
        yield ExampleClient(network, tmp_path)


def test_the_example_takes_each_case_of_the_sandbox_to_its_end(
    worker: Path, sandbox_stage: Any, example: ExampleClient, tmp_path: Path
) -> None:
    from siths_portal.demo import sandbox, sandbox_print
    from siths_portal.demo.logotypes import logotype

    listed = said()
    assert f"GET {sandbox_stage.base_url}/api/supplier/v1/me answers as leverantor-under-prov, which takes pull.\n" in listed
    orders = {code: str(order.pk) for code, order in sandbox.orders()[1].items()}
    assert all(f"{code} " in listed and orders[code] in listed for code in orders)

    early = example("run", "--until", "accepted", "--order", orders["withdrawn"], "--order", orders["new-print"])
    assert f"{orders['withdrawn']} batch/accept: 409 order-withdrawn" in early
    assert f"{orders['new-print']} batch/accept: 409 customisation-not-verified" in early
    assert "revoked-early: the customer acted" in said()

    picture = tmp_path / "logotype.png"
    picture.write_bytes(logotype("Ny", 2))
    example("logotype", sandbox_print.CUSTOMISATION.customisation_id, str(picture))
    assert "new-print: the customer acted" in said()
    letter, other = orders["puk-letter"], sandbox_stage.client("sandbox")
    wait_for("the PUK, which the client does not get", lambda: other("GET", f"orders/{letter}/puk").status_code == 200)
    acted = "revoked-late: the customer acted"
    told, shown = example("run", "--until", "certified"), said()
    if " remade" not in told or acted not in shown:  # the call for it was cut off, and is not repeated in this round
        told += example("run", "--until", "certified")
        shown = shown if acted in shown else said()
    assert f"{letter}.1 remade\n" in told
    assert acted in shown
    assert shown.count("Your client has the next step: the card is revoked.") == 1
    example("report", orders["cannot-be-made"], "1", "failed", "chip-defect")
    example("remake", orders["spoilt"], "1", "misprint", "supplier")
    last = example("run", "--bad-puk", orders["puk-refused"])
    assert last.count(f"{orders['puk-refused']}.1 produced\n") == 2
    assert f"{orders['spoilt']}.2 sent\n" in last
    assert set(verdicts().values()) == {"right", "open"}
    while any(verdict == "open" for code, verdict in verdicts().items() if code != "returned"):
        example("run")  # an answer was cut off, so the call is repeated in the next round, and the letter is made once more
    example("report", orders["returned"], "1", "returned", "undeliverable")
    assert set(verdicts().values()) == {"right"}
    assert example.network.cuts > 3

    assert example("run") == "", "a round without work repeats nothing"
    assert {path.name for path in example.folder.iterdir()} == {"items", "changes.json"}, (
        "no request waits, nothing printed is kept"
    )
    kept = "".join(path.read_text() for path in (example.folder / "items").iterdir())
    names = {person.register.surname for person in sandbox.everyone()[: len(orders)]}
    assert not re.search(rf"Provgränd|\b18\d{{10}}\b|{'|'.join(names)}|CERTIFICATE|\"puk\"", kept + example.told)
    last = said()
    assert "round 2" in last, "all cases are decided, so the next round begins"
    assert len(re.findall(r"^right ", last.partition("Sandbox")[0], re.M)) == len(orders)


def _pem(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("code", "state", "note"),
    [
        ("ordinary", "failed", "It ended as failed, not as sent."),
        ("p256", "sent", "Not all its keys are on P-256."),
        ("revoked-late", "sent", "The card was sent before the customer had revoked it."),
    ],
)
def test_the_sandbox_says_what_is_wrong(world: World, code: str, state: str, note: str) -> None:
    from issuance.orders.models.orders import CardOrder
    from siths_portal.demo import sandbox
    from siths_portal.demo.sandbox_cases import CASES

    order = CardOrder.objects.get(pk=world.order(1))
    order.state = state
    assert sandbox.outcome(next(case for case in CASES if case.code == code), order).note == note


def test_the_sandbox_is_refused_in_production(settings: Any) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError) as refused:
        said()
    assert refused.value.returncode == 2


@pytest.mark.usefixtures("sandbox_stage")
def test_the_sandbox_queues_nothing_if_another_program_has_the_port(settings: Any) -> None:
    from issuance.orders.models.orders import CardOrder
    from tests.ports import free_port

    settings.API_BASE_URL = f"https://localhost:{free_port()}"
    with pytest.raises(CommandError, match="what has its port") as refused:
        said()
    assert (refused.value.returncode, CardOrder.objects.count()) == (1, 0)
