"""What the systemd units say: the table of processes, users without rights, secrets as credentials, own folders only."""

from pathlib import Path

import pytest

from siths_portal.dev import checks, users
from siths_portal.dev.deployment import made as deployment
from siths_portal.lib.processes.table import DATABASE_URLS, PIN, PROCESSES, Process

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "systemd"
NAMES = [process.name for process in PROCESSES]
PASSWORDS = {"portal": "app", "api": "api", "pki": "pki", "worker": "worker"}
VAR, SOCKETS = "/var/lib/siths/", "/run/siths/"


def read(name: str) -> dict[str, list[str]]:
    """The values of each key of a unit, in their order."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def environment(unit: dict[str, list[str]]) -> dict[str, str]:
    pairs = [each.strip('"').partition("=") for each in unit["Environment"]]
    return {name: value for name, _, value in pairs}


def test_the_files_are_those_that_the_table_makes() -> None:
    folder = ROOT / "deploy"
    paths = [path for name in deployment.FOLDERS for path in (folder / name).rglob("*") if path.is_file()]
    assert {str(path.relative_to(folder)): path.read_text() for path in paths} == deployment.files(), (
        "run python -m siths_portal.dev.deployment"
    )


@pytest.mark.parametrize("process", PROCESSES, ids=NAMES)
def test_a_unit_starts_its_process_as_the_table_says(process: Process) -> None:
    unit = read(f"siths-{process.name}.service")
    (command,) = unit["ExecStart"]
    assert tuple(command.split()[1 : 1 + len(process.command)]) == process.command
    assert process.environment.items() <= environment(unit).items()
    assert unit["User"] == [process.user]
    assert unit["WantedBy"] == ["siths.target"]
    assert f"siths-{process.name}.service" in read("siths.target")["Wants"][0].split()


@pytest.mark.parametrize("process", PROCESSES, ids=NAMES)
def test_a_unit_gets_what_its_process_reads_and_no_more(process: Process) -> None:
    unit = read(f"siths-{process.name}.service")
    own = {f"database_{PASSWORDS[process.role]}_password"} if process.role else set()
    assert {each.partition(":")[0] for each in unit.get("LoadCredential", [])} == {*process.secrets, *own}
    files = {value for value in environment(unit).values() if value.startswith("%d/")}
    assert files == {f"%d/{name}" for name in {*process.secrets, *own}}
    writes = set(unit["ReadWritePaths"][0].split())
    sockets = {f"{SOCKETS}{process.name}"} if process.face or process.has_token else set()
    assert writes == {f"{VAR}{folder}" for folder in (*process.folders, "metrics")} | sockets


def test_no_unit_has_the_pin_and_the_pki_worker_takes_it_from_custodians() -> None:
    units = {path.name: read(path.name) for path in FOLDER.glob("*.service")}
    assert {name for name, unit in units.items() if environment(unit)["PKCS11_PIN_FILE"]} == set()
    assert {name for name, unit in units.items() if environment(unit).get("PKI_START_BY_TWO") == "1"} == {
        "siths-pki-worker.service"
    }
    assert [name for name, unit in units.items() if f"{PIN}:" in " ".join(unit.get("LoadCredential", []))] == []
    assert environment(units["siths-pki-worker.service"])["PKI_SHARE_SOCKET"] == f"{SOCKETS}pki-worker/share.sock"
    assert made("siths.tmpfiles.conf", "d")[f"{SOCKETS}pki-worker"] == ["2710", "siths-pki", "siths-custodians", "-"]
    assert "siths-custodians" in made("siths.sysusers.conf", "g")
    assert [name for name, unit in units.items() if unit["LimitCORE"] != ["0"]] == []


def test_no_unit_has_a_password_or_runs_as_root_or_writes_elsewhere() -> None:
    for path in FOLDER.glob("*.service"):
        unit = read(path.name)
        urls = [value for name, value in environment(unit).items() if name.endswith("_URL") and "@" in value]
        assert [url for url in urls if ":" in url.partition("://")[2].partition("@")[0]] == []
        assert unit["User"] != ["root"]
        assert unit["ProtectSystem"] == ["strict"]
        assert unit["NoNewPrivileges"] == ["yes"]
        assert unit["CapabilityBoundingSet"] == [""]


def test_a_unit_connects_as_the_role_of_its_user() -> None:
    for process in PROCESSES:
        if process.role:
            url = environment(read(f"siths-{process.name}.service"))[DATABASE_URLS[process.role]]
            assert url == f"postgres://{dict(users.DATABASE_ROLES)[process.user]}@postgres/siths"


def made(file: str, kind: str) -> dict[str, list[str]]:
    """The lines of a kind of tmpfiles.d or sysusers.d: their other columns, by name."""
    rows = [line.split() for line in (FOLDER / file).read_text().splitlines() if line.startswith(f"{kind} ")]
    return {row[1]: row[2:] for row in rows}


@pytest.mark.parametrize("process", [each for each in PROCESSES if each.face], ids=lambda process: process.name)
def test_a_site_is_reached_by_its_reverse_proxy_only(process: Process) -> None:
    """Whoever reaches its socket could forge the header with the client certificate."""
    assert made("siths.tmpfiles.conf", "d")[f"{SOCKETS}{process.name}"][:3] == ["2710", process.user, users.PROXY_USER]


def test_each_folder_and_user_of_a_unit_is_made() -> None:
    for process in PROCESSES:
        unit = read(f"siths-{process.name}.service")
        assert set(unit["ReadWritePaths"][0].split()) <= set(made("siths.tmpfiles.conf", "d"))
        assert process.user in made("siths.sysusers.conf", "u")


def test_a_key_that_systemd_does_not_know_is_found(folder: Path) -> None:
    """Where systemd is not installed the check finds nothing to say."""
    units = folder / "deploy" / "systemd"
    units.mkdir(parents=True)
    text = (FOLDER / "siths-beat.service").read_text()
    (units / "siths-beat.service").write_text(text.replace("Restart=always", "Restrat=always"))
    found = checks.units(folder)
    assert found is None or "Restrat" in found
