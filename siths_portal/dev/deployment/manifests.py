"""Kubernetes manifests of the processes of the table, for kustomize (docs/operations.md, Kubernetes)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from siths_portal.dev.deployment import pods, policies
from siths_portal.dev.deployment.places import port
from siths_portal.dev.deployment.policies import NAME, REDIS
from siths_portal.lib.processes.table import BY_NAME, OWNER_URL, PROCESSES, Process

type Json = dict[str, Any]

TEMPLATES = Path(__file__).parent.parent / "compose"
NAMESPACE = "siths"
CELL = "siths/cell"
CELLS = ("a", "b")
"""A cell is a machine of the cluster with an OCSP store of its own: a pki worker, the publisher and the responder share it, with
the live signer's socket in it (ADR 0175)."""
ONE = frozenset({"beat"})
"""Processes of which one runs. Of all others that are in no cell two run."""
REPLICAS = 2
SHARED = {"audit": "1Gi", "ceremony": "1Gi", "journal-billing": "10Gi", "journal-pki": "10Gi", "status": "5Gi"}
"""Folders that pods on several machines share, with the size of their claim."""
STORE = "20Gi"
HEAD = "# Made from the table of processes by python -m siths_portal.dev.deployment. Change it with an overlay.\n"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are, and no references."""

    def ignore_aliases(self, data: Any) -> bool:
        """Returns True: each value is written where it is."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # YAML 1.2, which Kubernetes reads, has numbers that YAML 1.1 has not, such as 0o666.
    style = "|" if "\n" in value else "'" if value[:1].isdigit() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def files() -> dict[str, str]:
    """Returns the text of each file below `deploy/kubernetes`, by its path there."""
    parts: dict[str, list[Json]] = {
        "namespace": [_namespace()],
        "storage": _storage(),
        "fronts": [_fronts()],
        "redis": _redis(),
        "pgbouncer": _pooler(),
        "network-policies": policies.all_policies(),
        **{process.name: _objects(process) for process in PROCESSES if process.name != "metrics"},
    }
    base = {f"base/{name}.yaml": _yaml(objects) for name, objects in parts.items()}
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": NAMESPACE}
    resources = [f"{name}.yaml" for name in parts]
    return base | {
        "base/kustomization.yaml": _yaml([kustomization | {"resources": resources}]),
        "migrate/migrate.yaml": _yaml([_migrate()]),
        "migrate/kustomization.yaml": _yaml([kustomization | {"resources": ["migrate.yaml"]}]),
    }


def _yaml(objects: Iterable[Json]) -> str:
    return HEAD + yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def _labels(name: str, cell: str = "") -> dict[str, str]:
    return {NAME: name, "app.kubernetes.io/part-of": NAMESPACE} | ({CELL: cell} if cell else {})


def _namespace() -> Json:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def _claim(name: str, mode: str, size: str) -> Json:
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": size}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def _storage() -> list[Json]:
    shared = [_claim(name, "ReadWriteMany", size) for name, size in SHARED.items()]
    return shared + [_claim(f"ocsp-{cell}", "ReadWriteOnce", STORE) for cell in CELLS]


def _config(name: str, data: dict[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _fronts() -> Json:
    names = sorted({template for templates, _ in pods.FRONTS.values() for template in templates})
    return _config("fronts", {f"{name}.conf.template": (TEMPLATES / f"{name}.conf.template").read_text() for name in names})


def _objects(process: Process) -> list[Json]:
    """Returns the Deployments of a process, its Service if it is called, and what keeps one of two running."""
    if "ocsp" in process.folders:
        found = [_deployment(process.name, pods.pod(process, cell) | _beside(process, cell), cell=cell) for cell in CELLS]
    else:
        number = 1 if process.name in ONE else REPLICAS
        found = [_deployment(process.name, pods.pod(process) | _spread(process.name), replicas=number)]
    if process.face:
        outer = 80 if process.name == "status" else 443
        more = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}  # keeps the client's address
        found.append(_service(process.name, outer, "front", **more))
    elif process.name == "ocspd":
        found.append(_service(process.name, port(process), "http"))
    return found if process.name in ONE else [*found, _budget(process.name)]


def _deployment(name: str, pod: Json, *, replicas: int = 1, cell: str = "") -> Json:
    labels = _labels(name, cell)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-{cell}" if cell else name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "strategy": {"type": "Recreate"} if name in ONE else rolling,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _spread(name: str) -> Json:
    """Keeps the pods of a process on different machines, where there are several."""
    rule = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    return {"topologySpreadConstraints": [rule | {"labelSelector": {"matchLabels": {NAME: name}}}]}


def _beside(process: Process, cell: str) -> Json:
    """Keeps the pods of a cell on one machine, and the pki workers of different cells on different ones."""
    host: Json = {"topologyKey": "kubernetes.io/hostname"}
    if process.queue:
        others = [{"key": NAME, "operator": "In", "values": [process.name]}, {"key": CELL, "operator": "NotIn", "values": [cell]}]
        rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            host | {"labelSelector": {"matchExpressions": others}}]}}  # fmt: skip
    else:
        own = {"matchLabels": {NAME: "pki-worker", CELL: cell}}
        rule = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [host | {"labelSelector": own}]}}
    return {"affinity": rule}


def _service(name: str, outer: int, target: str, **more: str) -> Json:
    spec = {"selector": {NAME: name}, "ports": [{"name": target, "port": outer, "targetPort": target}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": _labels(name)}, "spec": spec | more}


def _budget(name: str) -> Json:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {NAME: name}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def _redis() -> list[Json]:
    """Redis without persistence. Its loss loses no work, so one is enough."""
    server = pods.container(
        "redis",
        "redis:7",
        command=["redis-server", "--save", "", "--appendonly", "no", "--dir", "/tmp"],
        ports=[{"name": "redis", "containerPort": REDIS}],
        readinessProbe={"tcpSocket": {"port": "redis"}, "periodSeconds": 5},
        volumeMounts=[pods.mount("tmp", "/tmp")],
        resources=pods.memory("64Mi", "256Mi"),
    )
    return [_deployment("redis", pods.base([server], [pods.volume("tmp")])), _service("redis", REDIS, "redis")]


POOLER_SETTINGS = f"""\
; Transactions of the processes that keep nothing in a session share these connections (ADR 0352).
[databases]
; Replaces the limit that the sites ask for when they connect, which a shared connection cannot have of its own.
siths = host=postgres port={policies.POSTGRES} dbname=siths connect_query='SET statement_timeout = 60000'

[pgbouncer]
listen_addr = 0.0.0.0
listen_port = {policies.POOLER_PORT}
unix_socket_dir = /tmp
auth_type = scram-sha-256
auth_file = /run/secrets/pgbouncer_users
pool_mode = transaction
default_pool_size = {BY_NAME["status"].connections // 2}
max_client_conn = 500
ignore_startup_parameters = extra_float_digits,options
"""


def _pooler() -> list[Json]:
    server = pods.container(
        "pgbouncer",
        "pgbouncer",
        command=["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"],
        ports=[{"name": "pgbouncer", "containerPort": policies.POOLER_PORT}],
        readinessProbe={"tcpSocket": {"port": "pgbouncer"}, "periodSeconds": 5},
        volumeMounts=[
            pods.mount("tmp", "/tmp"),
            pods.mount("settings", "/etc/pgbouncer", read_only=True),
            pods.mount("secrets", pods.SECRETS, read_only=True),
        ],
        resources=pods.memory("32Mi", "128Mi", "50m"),
    )
    settings = {"name": "settings", "configMap": {"name": "pgbouncer"}}
    volumes = [pods.volume("tmp"), settings, pods.secret_volume("secrets", ["pgbouncer_users"])]
    return [
        _config("pgbouncer", {"pgbouncer.ini": POOLER_SETTINGS}),
        _deployment("pgbouncer", pods.base([server], volumes) | _spread("pgbouncer"), replicas=REPLICAS),
        _service("pgbouncer", policies.POOLER_PORT, "pgbouncer"),
        _budget("pgbouncer"),
    ]


def _migrate() -> Json:
    """Returns the Job that brings the database up to the release, before the processes of the release start."""
    environment = pods.COMMON | BY_NAME["metrics"].environment
    environment |= {
        OWNER_URL: "postgres://siths_owner@postgres/siths",
        "DATABASE_OWNER_PASSWORD_FILE": f"{pods.SECRETS}/database_owner_password",
        "SECRET_KEY_FILE": f"{pods.SECRETS}/secret_key_worker",
    }
    command = pods.container(
        "migrate",
        pods.IMAGE,
        command=["python3", "manage.py", "migrate", "--no-input"],
        env=pods.variables(environment),
        envFrom=[{"configMapRef": {"name": pods.SETTINGS}}],
        volumeMounts=[pods.mount("tmp", "/tmp"), pods.mount("secrets", pods.SECRETS, read_only=True)],
        resources=pods.memory("256Mi", "1Gi"),
    )
    volumes = [pods.volume("tmp"), pods.secret_volume("secrets", ["secret_key_worker", "database_owner_password"])]
    spec = pods.base([command], volumes) | {"restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "labels": _labels("migrate")},
        "spec": {"backoffLimit": 2, "template": {"metadata": {"labels": _labels("migrate")}, "spec": spec}},
    }
