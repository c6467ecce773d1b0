"""The import contracts hold, and each catches what it is there for."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("siths_portal", "authn", "pki", "issuance", "billing")
PUBLIC_ISSUANCE = "Applications enter issuance through service and authz"
PUBLIC_PKI = "Applications enter pki through its public interfaces"
EXTRA = (
    "authn/models.py",
    "billing/invoices/services/extra.py",
    "billing/service.py",
    "billing/invoices/web/extra.py",
    "issuance/people/adapters/extra.py",
    "issuance/people/queries/extra.py",
    "issuance/records/web/extra.py",
    "issuance/service.py",
    "issuance/people/services/extra.py",
    "issuance/roles/web/extra.py",
    "pki/hsm/extra.py",
)


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty modules of this tree's names: contracts look at names and imports only."""
    root = tmp_path_factory.mktemp("skeleton")
    shutil.copy(ROOT / ".importlinter", root)
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            target = root / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    for name in EXTRA:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        (target.parent / "__init__.py").touch()
    return root


def test_the_tree_keeps_every_contract() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


def test_an_empty_tree_keeps_every_contract(skeleton: Path) -> None:
    done = lint(skeleton)
    assert done.returncode == 0, done.stdout


PLANTED = [
    ("issuance/people/services/extra.py", "import billing.models", "App direction"),
    ("pki/ocsp/web.py", "import authn.service", "App direction"),
    ("authn/models.py", "import pki.service", "App direction"),
    ("issuance/people/services/extra.py", "import siths_portal.settings", "Apps see only siths_portal.lib"),
    ("siths_portal/lib/errors.py", "import siths_portal.wiring.ports", "Apps see only siths_portal.lib"),
    ("pki/hsm/extra.py", "import siths_portal.simulators.card", "Apps see only siths_portal.lib"),
    ("issuance/people/models/__init__.py", "import issuance.people.services", "Layers inside each package of issuance"),
    ("issuance/people/services/extra.py", "import issuance.roles.models", "Order of the packages of issuance"),
    ("issuance/articles/models.py", "import issuance.orders.models.orders", "Order of the packages of issuance"),
    ("issuance/orders/domain/rules.py", "import issuance.revocation.domain", "Order of the packages of issuance"),
    ("issuance/authz/scope.py", "import issuance.records.models.events", "Order of the packages of issuance"),
    ("billing/invoices/services/extra.py", "import billing.runs.models", "Order of the packages of billing"),
    ("billing/invoices/models.py", "import billing.invoices.services", "Layers inside each package of billing"),
    (
        "issuance/people/services/extra.py",
        "import issuance.roles.web.extra",
        "Services and queries know no pages, APIs, tasks or commands",
    ),
    (
        "issuance/roles/web/extra.py",
        "import issuance.offices.web.offices",
        "Pages import the page kit, and no other package's pages",
    ),
    (
        "issuance/records/web/extra.py",
        "import issuance.roles.web.extra",
        "Pages import the page kit, and no other package's pages",
    ),
    (
        "issuance/people/services/extra.py",
        "import issuance.people.adapters.extra",
        "Adapters are reached only through wiring",
    ),
    ("pki/approvals/dual_control.py", "import pki.issuing.signing", "Order of the packages of pki"),
    ("pki/ocsp/web.py", "import pkcs11", "Only pki.hsm and the software card touch the token library"),
    ("siths_portal/simulators/directory.py", "import pkcs11", "Only pki.hsm and the software card touch the token library"),
    ("siths_portal/simulators/directory.py", "import issuance.service", "Simulators talk by wire and files only"),
    (
        "siths_portal/simulators/directory.py",
        "import siths_portal.lib.processes.jobs",
        "Simulators talk by wire and files only",
    ),
    ("siths_portal/dev/steps.py", "import django", "The house knows commands and settings, no application"),
    ("issuance/people/services/extra.py", "import pki.models", PUBLIC_PKI),
    ("issuance/people/services/extra.py", "import pki.hsm.extra", PUBLIC_PKI),
    ("issuance/people/services/extra.py", "import pki.approvals", PUBLIC_PKI),
    (
        "issuance/people/services/extra.py",
        "import pki.operators.keys",
        PUBLIC_PKI,
    ),
    (
        "issuance/operators/services/approvals.py",
        "import pki.approvals.dual_control",
        PUBLIC_PKI,
    ),
    (
        "issuance/operators/web/status.py",
        "import pki.operators.status_measures",
        PUBLIC_PKI,
    ),
    ("siths_portal/demo/tls.py", "import pki.models", PUBLIC_PKI),
    ("billing/invoices/web/extra.py", "import issuance.models", PUBLIC_ISSUANCE),
    (
        "billing/invoices/web/extra.py",
        "import issuance.people.queries.extra",
        PUBLIC_ISSUANCE,
    ),
    (
        "issuance/people/services/extra.py",
        "import authn.models",
        "Applications enter authn through service, ports, web and api",
    ),
]
"""In which file which import breaks which contract."""


def violations(told: str) -> dict[str, set[str]]:
    """The imports that break each contract by themselves, not as a part of a longer chain."""
    sections = re.split(r"^(\S.*)\n-+\n", told.split("Broken contracts\n")[1], flags=re.MULTILINE)
    alone = re.compile(r"^- +(\S+ -> \S+) \(l\.\d+\)\n(?! +\S)", re.MULTILINE)
    return {name: set(alone.findall(text)) for name, text in zip(sections[1::2], sections[2::2], strict=True)}


def test_a_planted_import_breaks_its_contract(skeleton: Path, tmp_path: Path) -> None:
    """All are planted in one tree, and each must be named by its own contract."""
    root = tmp_path / "tree"
    shutil.copytree(skeleton, root)
    for importer, statement, _ in PLANTED:
        target = root / importer
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a") as file:
            file.write(statement + "\n")
    done = lint(root)
    assert done.returncode == 1, done.stdout
    found = violations(done.stdout)
    for importer, statement, contract in PLANTED:
        name = importer.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        assert f"{contract} BROKEN" in done.stdout
        assert f"{name} -> {statement.removeprefix('import ')}" in found[contract], contract
    assert {contract for _, _, contract in PLANTED} == set(found)


@pytest.mark.parametrize(("contract", "own"), [("portal-internals", "lib"), ("simulators-are-strangers", "simulators")])
def test_every_module_of_the_composition_root_is_barred_from_applications_and_simulators(contract: str, own: str) -> None:
    text = (ROOT / ".importlinter").read_text()
    section = text.split(f"[importlinter:contract:{contract}]")[1].split("[importlinter:")[0].split("ignore_imports")[0]
    barred = {line.strip() for line in section.split("forbidden_modules =")[1].splitlines() if line.strip()}
    children = {path.stem for path in (ROOT / "siths_portal").glob("*.py")} | {
        path.parent.name for path in (ROOT / "siths_portal").glob("*/__init__.py")
    }
    assert {f"siths_portal.{child}" for child in children - {"__init__", own}} <= barred
