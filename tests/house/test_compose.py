"""What `docker-compose.yml` says: users without rights, folders to count in, and who sees whose processes (ADR 0216)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from siths_portal.lib.processes.table import BY_NAME, DEFAULT_PORTAL_WORKERS

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
COUNTING = {"ocspd", "ocsp-publisher", "pki-worker", "status", "worker"}
"""Whose numbers the alarm rules speak of: the responder, its publisher, what stands in for it, and both workers."""
OWNED = "RUN install -d -o siths"
FIRST_FREE_PORT = 1024
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SERVERS = {name for name, each in SERVICES.items() if "metrics" in each.get("command", [])}


def mounted(name: str, folder: str) -> list[str]:
    """The volumes that the service has at the folder."""
    volumes = [each.split(":") for each in SERVICES[name].get("volumes", [])]
    return [parts[0] for parts in volumes if parts[1] == folder]


def folder_of(name: str) -> str:
    """The named volume in which the service counts, at the folder that it is told."""
    (volume,) = mounted(name, SERVICES[name]["environment"][FOLDER])
    assert volume in COMPOSE["volumes"]
    return volume


def test_these_are_the_services_that_count() -> None:
    found = set()
    for name, each in SERVICES.items():
        words = each.get("command", [])
        status = each.get("environment", {}).get("SITHS_FACE") == "status"
        if status or {"pki_ocspd", "pki_ocsp_publish"} & set(words) or {"pki", "default"} & set(words):
            found.add(name)
    assert found == COUNTING


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
    assert all(each.startswith("127.0.0.1:") for each in ports)


def test_nobody_but_servers_of_numbers_sees_anothers_processes() -> None:
    """Who sees them may read what they hold: the token's PIN, the database's password. Those servers hold neither."""
    assert {name for name, each in SERVICES.items() if "pid" in each} == SERVERS
    for name in SERVERS:
        environment = SERVICES[name]["environment"]
        assert (environment["PKCS11_PIN_FILE"], environment["DATABASE_OWNER_URL"]) == ("", "")
        assert environment["DATABASE_URL"].endswith("@nowhere/none")
        assert "pin" not in SERVICES[name]["secrets"]


def test_sites_have_the_threads_whose_connections_are_counted() -> None:
    """ADR 0352: as the table says, and the number of the portal's processes is the one that the check counts."""
    for name in ("portal", "minasidor", "status"):
        assert SERVICES[name]["environment"]["GRANIAN_BLOCKING_THREADS"] == str(BY_NAME[name].threads)
    assert f"--blocking-threads={BY_NAME['api'].threads}" in SERVICES["api"]["command"]
    workers = SERVICES["portal"]["environment"]["GRANIAN_WORKERS"]
    assert workers == f"${{PORTAL_WORKERS:-{DEFAULT_PORTAL_WORKERS}}}" == SERVICES["migrate"]["environment"]["PORTAL_WORKERS"]
    assert [name for name, each in SERVICES.items() if "GRANIAN_WORKERS" in each.get("environment", {})] == ["portal"]


def test_no_service_runs_as_root() -> None:
    users = {name: str(each.get("user", "")) for name, each in SERVICES.items()}
    assert [name for name, user in users.items() if user.split(":")[0] in ("", "0", "root")] == []


def test_no_service_needs_a_port_that_only_root_may_take() -> None:
    targets = {name: int(port.split(":")[-1]) for name, each in SERVICES.items() for port in each.get("ports", [])}
    assert {name for name, target in targets.items() if target < FIRST_FREE_PORT} == set()


def test_the_image_has_each_folder_that_is_a_volume_and_its_user_owns_it() -> None:
    """A named volume begins with the rights of the image's folder; without one it is root's, and nobody can write to it."""
    made = {word for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith(OWNED) for word in line.split()}
    wanted = set()
    for each in SERVICES.values():
        if each["image"] == "siths-portal":
            mounts = (volume.split(":") for volume in each["volumes"])
            wanted |= {parts[1].removeprefix("/srv/siths/") for parts in mounts if parts[0] in COMPOSE["volumes"]}
    assert wanted <= made
    assert {"var/metrics", "var/tokens", "/run/api"} <= wanted
