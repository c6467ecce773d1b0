"""What the Kubernetes manifests say: valid objects, the table of processes, pods without rights, and ways that are needed."""

import functools
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate import utils as kubernetes

from siths_portal.lib.database import connection_counts
from siths_portal.lib.processes.table import DATABASE_URLS, PIN, PROCESSES, Process

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(FOLDER.rglob("*.yaml"))
type Json = dict[str, Any]
NAME, CELL = "app.kubernetes.io/name", "siths/cell"
VAR, SECRETS = "/srv/siths/var/", "/run/secrets"
PASSWORDS = {"portal": "app", "api": "api", "pki": "pki", "worker": "worker"}
RUN = [process for process in PROCESSES if process.name != "metrics"]
NAMES = [process.name for process in RUN]


@functools.cache
def objects() -> list[Json]:
    texts = [path.read_text() for path in FILES if path.name != "kustomization.yaml"]
    return [each for text in texts for each in yaml.safe_load_all(text)]


def of_kind(kind: str) -> list[Json]:
    return [each for each in objects() if each["kind"] == kind]


def deployments(name: str) -> list[Json]:
    return [each for each in of_kind("Deployment") if each["metadata"]["labels"][NAME] == name]


def pods() -> list[tuple[str, Json]]:
    return [(each["metadata"]["name"], each["spec"]["template"]["spec"]) for each in (*of_kind("Deployment"), *of_kind("Job"))]


def main_of(deployment: Json) -> Json:
    containers: list[Json] = deployment["spec"]["template"]["spec"]["containers"]
    return containers[0]


def environment(container: Json) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def policy(name: str) -> Json:
    (found,) = [each for each in of_kind("NetworkPolicy") if each["metadata"]["name"] == name]
    spec: Json = found["spec"]
    return spec


def peers(rules: list[Json], side: str) -> set[str]:
    """The names of the pods in the rules."""
    selectors = [peer["podSelector"] for rule in rules for peer in rule.get(side, []) if "podSelector" in peer]
    return {selector["matchLabels"][NAME] for selector in selectors}


def test_each_object_is_one_that_kubernetes_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "schema_contents", functools.cache(kubernetes.schema_contents))
    for each in objects():
        kubernetes.validate(each, "1.37", strict=True)
    wrong = deployments("portal")[0] | {"spec": {"replica": 2}}
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(wrong, "1.37", strict=True)


def test_each_file_is_a_resource_of_its_kustomization() -> None:
    for folder in ("base", "migrate", "example"):
        listed = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text())["resources"]
        files = {path.name for path in (FOLDER / folder).glob("*.yaml")} - {"kustomization.yaml"}
        assert set(listed) - {"../base"} == files


def test_no_text_is_a_number_to_a_reader_of_yaml_1_2() -> None:
    for path in FILES:
        scalars = [token for token in yaml.scan(path.read_text()) if isinstance(token, yaml.ScalarToken) and token.plain]
        assert [token.value for token in scalars if token.value[:1].isdigit() and not token.value.isdigit()] in (
            [],
            ["192.0.2.10/32"],
        )


@pytest.mark.parametrize("process", RUN, ids=NAMES)
def test_a_deployment_starts_its_process_as_the_table_says(process: Process) -> None:
    for deployment in deployments(process.name):
        container = main_of(deployment)
        command = container["command"]
        after = command[len(command) - command[::-1].index("python3") :]
        assert tuple(after[: len(process.command)]) == process.command
        assert process.environment.items() <= environment(container).items()


@pytest.mark.parametrize("process", RUN, ids=NAMES)
def test_two_of_each_run_except_the_scheduler(process: Process) -> None:
    found = deployments(process.name)
    assert sum(each["spec"]["replicas"] for each in found) == (1 if process.name == "beat" else 2)
    strategies = {each["spec"]["strategy"]["type"] for each in found}
    assert strategies == ({"Recreate"} if process.name == "beat" else {"RollingUpdate"})


@pytest.mark.parametrize("process", RUN, ids=NAMES)
def test_a_pod_gets_what_its_process_reads_and_no_more(process: Process) -> None:
    own = {f"database_{PASSWORDS[process.role]}_password"} if process.role else set()
    for deployment in deployments(process.name):
        spec = deployment["spec"]["template"]["spec"]
        projected = [each["projected"]["sources"] for each in spec["volumes"] if "projected" in each]
        files = {item["path"] for sources in projected for source in sources for item in source["secret"]["items"]}
        assert files == {*process.secrets, *own}
        mounts = {each["mountPath"] for each in main_of(deployment)["volumeMounts"]}
        folders = {place.removeprefix(VAR) for place in mounts if place.startswith(VAR)} - {"metrics"}
        assert folders == set(process.folders)
        others = [mount for each in spec["containers"][1:] for mount in each["volumeMounts"]]
        assert [mount for mount in others if mount["mountPath"] == SECRETS] == []
        named = {value for value in environment(main_of(deployment)).values() if value.startswith(SECRETS)}
        assert named == {f"{SECRETS}/{name}" for name in files}


def test_no_pod_has_the_pin_and_pki_workers_take_it_from_custodians() -> None:
    secrets = [source["secret"]["name"] for _, spec in pods() for each in spec["volumes"] for source in sources_of(each)]
    assert PIN not in secrets
    for deployment in deployments("pki-worker"):
        values = environment(main_of(deployment))
        assert (values["PKCS11_PIN_FILE"], values["PKI_START_BY_TWO"]) == ("", "1")
        assert "/run/pki-worker" in {each["mountPath"] for each in main_of(deployment)["volumeMounts"]}
        assert values["PKI_SHARE_SOCKET"].startswith("/run/pki-worker/")


def sources_of(volume: dict[str, Any]) -> list[dict[str, Any]]:
    return volume["projected"]["sources"] if "projected" in volume else []


def test_no_manifest_has_a_secret() -> None:
    assert of_kind("Secret") == []
    for _, spec in pods():
        for container in spec["containers"]:
            for each in container.get("env", []):
                if "@" in each.get("value", ""):
                    assert ":" not in each["value"].partition("://")[2].partition("@")[0]


def test_no_container_has_a_right_or_writes_to_its_own_files() -> None:
    for _, spec in pods():
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert [each for each in spec["volumes"] if "hostPath" in each] == []
        for container in spec["containers"]:
            limits = container["securityContext"]
            assert limits["readOnlyRootFilesystem"] is True
            assert limits["allowPrivilegeEscalation"] is False
            assert limits["capabilities"] == {"drop": ["ALL"]}
            assert limits["runAsUser"] > 0


def test_whoever_sees_other_processes_has_another_user() -> None:
    """With the same one it could read their memory, and so the PIN and the passwords."""
    for _, spec in pods():
        if spec.get("shareProcessNamespace"):
            seen = [each["securityContext"]["runAsUser"] for each in spec["containers"]]
            assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("process", [each for each in RUN if each.health == "ready"], ids=lambda process: process.name)
def test_what_can_be_asked_is_asked_and_started_again_only_if_it_does_not_live(process: Process) -> None:
    for deployment in deployments(process.name):
        container = main_of(deployment)
        asked = [str(container[kind]) for kind in ("readinessProbe", "livenessProbe", "startupProbe")]
        assert "ready" in asked[0]
        assert "live" not in asked[0]
        assert all("live" in each and "ready" not in each for each in asked[1:])
        if process.face:
            assert f"/run/{process.name}/{process.name}.sock" in container["readinessProbe"]["exec"]["command"]


@pytest.mark.parametrize("process", [each for each in RUN if each.face], ids=lambda process: process.name)
def test_a_site_is_reached_through_its_reverse_proxy_only(process: Process) -> None:
    (deployment,) = deployments(process.name)
    site, front, *_ = deployment["spec"]["template"]["spec"]["containers"]
    assert "ports" not in site
    (port,) = front["ports"]
    assert [rule["ports"][0]["port"] for rule in policy(process.name)["ingress"] if "from" not in rule] == [port["containerPort"]]


def test_the_parts_of_a_cell_share_a_store_on_one_machine() -> None:
    """The live signer's socket is in it (ADR 0175)."""
    for cell in ("a", "b"):
        parts = {each["metadata"]["name"]: each for each in of_kind("Deployment") if each["metadata"]["labels"].get(CELL) == cell}
        assert set(parts) == {f"{name}-{cell}" for name in ("ocspd", "ocsp-publisher", "pki-worker")}
        for name, each in parts.items():
            spec = each["spec"]["template"]["spec"]
            assert f"ocsp-{cell}" in {volume.get("persistentVolumeClaim", {}).get("claimName") for volume in spec["volumes"]}
            if not name.startswith("pki-worker"):
                (rule,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
                assert rule["labelSelector"]["matchLabels"] == {NAME: "pki-worker", CELL: cell}
    claims = {each["metadata"]["name"] for each in of_kind("PersistentVolumeClaim")}
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for _, spec in pods()
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert used == claims


def test_nothing_is_allowed_but_what_is_listed() -> None:
    assert policy("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    covered = {each["metadata"]["name"] for each in of_kind("NetworkPolicy")} - {"default-deny", "names", "hsm"}
    assert covered == {*NAMES, "migrate", "redis", "pgbouncer"}


@pytest.mark.parametrize("process", RUN, ids=NAMES)
def test_a_process_reaches_the_database_only_if_it_has_a_role(process: Process) -> None:
    called = peers(policy(process.name)["egress"], "to")
    pooler = "@pgbouncer:" in environment(main_of(deployments(process.name)[0])).get(DATABASE_URLS.get(process.role, ""), "")
    assert {"postgres", "pgbouncer"} & called == ({"pgbouncer"} if pooler else {"postgres"} if process.role else set())
    asks_us = ("redis" in called, process.name in peers(policy("redis")["ingress"], "from"))
    assert asks_us in ((True, True), (False, False))


def test_the_responder_and_the_token_are_reached_by_nobody_else() -> None:
    assert peers(policy("ocspd")["ingress"], "from") == {"status"}
    assert policy("ocspd")["egress"] == []
    assert peers(policy("pki-worker")["ingress"], "from") == set()
    outside = {name for name in NAMES for rule in policy(name)["egress"] if any("ipBlock" in peer for peer in rule["to"])}
    assert outside == {"portal", "minasidor", "api", "worker", "suppliers-worker"}
    assert policy("hsm")["podSelector"] == {"matchLabels": {NAME: "pki-worker"}}


def test_the_connections_to_postgresql_are_those_of_the_document() -> None:
    def of(process: Process) -> int:
        made = deployments(process.name)
        each = int(environment(main_of(made[0]))["PORTAL_WORKERS"]) if process.name == "portal" else 1
        return sum(deployment["spec"]["replicas"] for deployment in made) * each * process.connections

    direct = sum(of(process) for process in RUN if "postgres" in peers(policy(process.name)["egress"], "to"))
    (pooler,) = deployments("pgbouncer")
    (config,) = [each["data"] for each in of_kind("ConfigMap") if each["metadata"]["name"] == "pgbouncer"]
    pool = int(config["pgbouncer.ini"].partition("default_pool_size = ")[2].split()[0])
    total = direct + pooler["spec"]["replicas"] * pool + connection_counts.COMMANDS
    assert f"| all | | {total} |" in (ROOT / "docs" / "scale.md").read_text()
