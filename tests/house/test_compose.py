"""What the compose files say: the table of processes, users without rights, secrets as files, folders to count in (ADR 0216)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from siths_portal.dev import compose_setup, podman, users
from siths_portal.dev.compose_stack import DEMO_FILE, PORTS, host
from siths_portal.lib.processes.table import DATABASE_URLS, DEFAULT_PORTAL_WORKERS, PIN, PROCESSES, SECRET_KEY, Process

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DEMO = yaml.safe_load((ROOT / DEMO_FILE).read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SIMULATORS = {name: each for name, each in DEMO["services"].items() if "image" in each}
EVERY_SERVICE: dict[str, dict[str, Any]] = SERVICES | SIMULATORS
COUNTING = {process.name for process in PROCESSES if process.counts}
"""Whose numbers the alarm rules speak of: the responder, its publisher, what stands in for it, and both workers."""
OWNED = "RUN install -d -o siths"
FIRST_FREE_PORT = 1024
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
VAR, SECRETS = "/srv/siths/var/", "/run/secrets/"
SERVERS = {name for name, each in SERVICES.items() if "metrics" in each.get("command", [])}
PASSWORDS = {"portal": "app", "api": "api", "pki": "pki", "worker": "worker"}
NAMES = [process.name for process in PROCESSES]
BEHIND = {
    "portal-front": "portal",
    "minasidor-front": "minasidor",
    "login-front": "login",
    "status-front": "ocspd",
    "nginx": "api",
}
"""The process behind each reverse proxy."""


def shares(name: str) -> int:
    """The service's share of a busy machine."""
    return int(EVERY_SERVICE[name].get("cpu_shares", 1024))


def mounted(service: dict[str, Any]) -> dict[str, str]:
    """The volumes and files that the service has, by their place in the container."""
    return {parts[1]: parts[0] for parts in (each.split(":") for each in service.get("volumes", []))}


def folder_of(name: str) -> str:
    """The named volume in which the service counts, at the folder that it is told."""
    volume = mounted(SERVICES[name])[SERVICES[name]["environment"][FOLDER]]
    assert volume in COMPOSE["volumes"]
    return volume


def secrets_of(service: dict[str, Any]) -> set[str]:
    """The secrets that the service gets."""
    return {each if isinstance(each, str) else each["source"] for each in service.get("secrets", [])}


def follows_the_interpreter(command: list[str]) -> list[str]:
    """The process's own command, without what clears up after a killed container."""
    return command[len(command) - command[::-1].index("python3") :]


@pytest.mark.parametrize("process", PROCESSES, ids=NAMES)
def test_a_container_starts_each_process_as_the_table_says(process: Process) -> None:
    service = SERVICES[process.name]
    assert service["image"] == podman.PORTAL_IMAGE.rsplit("/", 1)[1].removesuffix(":latest")
    assert tuple(follows_the_interpreter(service["command"])[: len(process.command)]) == process.command
    assert process.environment.items() <= service["environment"].items()


@pytest.mark.parametrize("process", PROCESSES, ids=NAMES)
def test_a_container_gets_what_its_process_reads_and_no_more(process: Process) -> None:
    service = SERVICES[process.name]
    own = {f"database_{PASSWORDS[process.role]}_password"} if process.role else set()
    pin = {PIN} if process.has_token else set()
    assert secrets_of(service) == {*process.secrets, *own, *pin}
    folders = {place.removeprefix(VAR) for place in mounted(service) if place.startswith(VAR)}
    token, counted = {"hsm"} if process.has_token else set(), {"metrics"} if FOLDER in service["environment"] else set()
    assert folders == {*process.folders, *token, *counted}
    keys = [SECRETS + each for each in process.secrets if each.startswith(SECRET_KEY)]
    assert [service["environment"]["SECRET_KEY_FILE"]] == keys if keys else "SECRET_KEY_FILE" not in service["environment"]


@pytest.mark.parametrize("process", PROCESSES, ids=NAMES)
def test_a_container_has_the_weight_of_its_process(process: Process) -> None:
    assert shares(process.name) * 100 == process.cpu_weight * 1024


def test_a_proxy_has_the_weight_of_what_is_behind_it() -> None:
    assert {name: shares(name) for name in BEHIND} == {name: shares(behind) for name, behind in BEHIND.items()}


def test_what_all_others_need_has_the_highest_weight() -> None:
    needed = {name for name, each in EVERY_SERVICE.items() if each["image"] != "siths-portal"} - BEHIND.keys()
    assert needed == {"postgres", "redis"}
    assert min(map(shares, needed)) > max(map(shares, EVERY_SERVICE.keys() - needed))


@pytest.mark.parametrize("process", [each for each in PROCESSES if each.role], ids=lambda process: process.name)
def test_a_container_connects_as_its_role_with_the_password_of_a_file(process: Process) -> None:
    environment, url = SERVICES[process.name]["environment"], DATABASE_URLS[process.role]
    assert environment[url] == f"postgres://{dict(users.DATABASE_ROLES)[process.user]}@postgres/siths"
    file = environment[url.removesuffix("_URL") + "_PASSWORD_FILE"]
    assert file == f"{SECRETS}database_{PASSWORDS[process.role]}_password"


@pytest.mark.parametrize("process", [each for each in PROCESSES if each.health == "ready"], ids=lambda process: process.name)
def test_a_container_is_asked_whether_it_is_ready(process: Process) -> None:
    *_, place = SERVICES[process.name]["healthcheck"]["test"]
    socket = {f"/run/{process.name}/{process.name}.sock"} & set(SERVICES[process.name]["command"])
    assert place in (socket or {f"80{process.port:02}"})


def test_each_secret_is_a_file_that_the_setup_makes() -> None:
    made = {name for name, _ in compose_setup.secret_files()} | {"oidc_client_key"}
    assert set(COMPOSE["secrets"]) == made
    assert {each["file"] for each in COMPOSE["secrets"].values()} == {f"var/compose/secrets/{name}" for name in made}
    assert {name for each in EVERY_SERVICE.values() for name in secrets_of(each)} == made
    assert {process.name for process in PROCESSES if process.has_token} == {"pki-worker"}
    assert {name for name, each in EVERY_SERVICE.items() if "pin" in secrets_of(each)} == {"pki-worker", "commands", "demo"}


def test_no_environment_has_a_password() -> None:
    for each in EVERY_SERVICE.values():
        urls = [value for name, value in each.get("environment", {}).items() if name.endswith("_URL") and "@" in value]
        assert [url for url in urls if ":" in url.partition("://")[2].partition("@")[0]] == []


def test_the_addresses_of_the_demo_are_the_published_ports_of_its_names() -> None:
    fronts = {f"{site}-front": site for site in ("portal", "minasidor", "status", "login")}
    names = fronts | {"nginx": "api", "eid-app": "eid-app", "idp": "idp"}
    for service, name in names.items():
        assert EVERY_SERVICE[service]["ports"] == [f"127.0.0.1:{PORTS[name]}:{PORTS[name]}"]
        assert DEMO["services"][service]["networks"]["default"]["aliases"] == [host(name)]
    assert set(names.values()) == set(PORTS)


def test_images_of_others_have_a_stand_in_of_the_same_name() -> None:
    foreign = {each["image"] for each in EVERY_SERVICE.values()} - {"siths-portal"}
    assert foreign == {tag.removeprefix("docker.io/").removeprefix("library/") for tag in podman.STAND_INS.values()}
    base = {line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM ")}
    assert base == {podman.BASE.removeprefix("docker.io/library/")}


@pytest.mark.parametrize("name", sorted(COUNTING))
def test_who_counts_is_served_by_one_that_sees_its_processes(name: str) -> None:
    servers = [each for each in sorted(SERVERS) if folder_of(each) == folder_of(name)]
    assert len(servers) == 1
    assert SERVICES[servers[0]]["pid"] == f"service:{name}"
    assert name in SERVICES[servers[0]]["depends_on"]


def test_process_numbers_of_two_containers_never_meet_in_a_folder() -> None:
    """Each begins with 1: a file would be two processes', and one that lives be taken for dead."""
    assert len({folder_of(name) for name in COUNTING}) == len(COUNTING)
    writers = {name for name, each in SERVICES.items() if FOLDER in each.get("environment", {})} - SERVERS
    assert writers == COUNTING


def test_servers_of_numbers_have_addresses_of_their_own() -> None:
    ports = [port for name in SERVERS for port in SERVICES[name]["ports"]]
    assert len(ports) == len(set(ports)) == len(COUNTING) == len(SERVERS)


def test_the_stack_is_reached_from_this_machine_only() -> None:
    """A proxy or a firewall of the operator's decides who else reaches it."""
    ports = [port for each in EVERY_SERVICE.values() for port in each.get("ports", [])]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_nobody_but_servers_of_numbers_sees_anothers_processes() -> None:
    """Who sees them may read what they hold: the token's PIN, the database's password. Those servers hold neither."""
    assert {name for name, each in EVERY_SERVICE.items() if "pid" in each} == SERVERS
    assert [name for name in SERVERS if secrets_of(SERVICES[name])] == []


def test_the_portal_has_the_processes_whose_connections_are_counted() -> None:
    """ADR 0352: the number of the portal's processes is the one that the check counts."""
    workers = f"${{PORTAL_WORKERS:-{DEFAULT_PORTAL_WORKERS}}}"
    assert workers == SERVICES["migrate"]["environment"]["PORTAL_WORKERS"]
    command = SERVICES["portal"]["command"]
    assert command[command.index("--workers") + 1] == workers


def test_no_service_runs_as_root() -> None:
    names = {name: str(each.get("user", "")) for name, each in EVERY_SERVICE.items()}
    assert [name for name, user in names.items() if user.split(":")[0] in ("", "0", "root")] == []


def test_no_service_needs_a_port_that_only_root_may_take() -> None:
    targets = {name: int(port.split(":")[-1]) for name, each in EVERY_SERVICE.items() for port in each.get("ports", [])}
    assert {name for name, target in targets.items() if target < FIRST_FREE_PORT} == set()


def test_the_image_has_each_folder_that_is_a_volume_and_its_user_owns_it() -> None:
    """A named volume begins with the rights of the image's folder; without one it is root's, and nobody can write to it."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    made = {word for line in text.splitlines() if line.startswith(OWNED) for word in line.split()}
    named = {*COMPOSE["volumes"], *DEMO["volumes"]}
    wanted = set()
    for each in EVERY_SERVICE.values():
        if each["image"] == "siths-portal":
            wanted |= {place.removeprefix("/srv/siths/") for place, volume in mounted(each).items() if volume in named}
    assert wanted <= made
    assert {"var/audit", "var/hsm", "var/metrics", "/run/api"} <= wanted
