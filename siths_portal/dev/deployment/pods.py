"""Containers and pods of the processes of the table for Kubernetes: who runs, with which files, secrets and probes."""

from collections.abc import Mapping, Sequence
from typing import Any

from siths_portal.dev.deployment.places import PUSH, Place, port, secrets
from siths_portal.lib.processes.table import BY_NAME, READY, Process

type Json = dict[str, Any]

CODE, VAR, SECRETS = "/srv/siths", "/srv/siths/var", "/run/secrets"
PLACE = Place(secrets=SECRETS, var=VAR, sockets="/run", host="0.0.0.0", workers="$(PORTAL_WORKERS)")
IMAGE, NGINX = "siths-portal", "nginxinc/nginx-unprivileged:1.28"
USER, METRICS_USER, NGINX_USER = 10001, 10002, 101
"""The image's user, the one that reads metrics and cannot read the memory of the others, and nginx's."""
POOLED = frozenset({"status"})
"""The processes whose connections PgBouncer shares between transactions (ADR 0352): they keep nothing in a session."""
POOLER = "pgbouncer:6432"
SETTINGS = "settings"
"""The ConfigMap with the settings that are not secret. Each installation has its own."""

COMMON = {"PORTAL_WORKERS": "1", "XDG_CACHE_HOME": "/tmp"}
"""A pod of the portal has one process, so that its start takes little CPU from the other replicas (ADR 0352)."""
CERTIFICATES = {"portal": "tls-portal", "minasidor": "tls-minasidor", "login": "tls-login", "api": "tls-api"}
"""The Secret with the TLS files of each reverse proxy."""


def volume(name: str) -> Json:
    """Returns an empty folder that lives as long as its pod."""
    return {"name": name, "emptyDir": {}}


def claimed(name: str, claim: str) -> Json:
    """Returns the volume of a claim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def mount(name: str, path: str, *, read_only: bool = False) -> Json:
    """Returns the place of a volume in a container."""
    return {"name": name, "mountPath": path} | ({"readOnly": True} if read_only else {})


def variables(values: Mapping[str, str]) -> list[Json]:
    """Returns the environment variables, sorted."""
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def secret_volume(name: str, files: Sequence[str]) -> Json:
    """Returns a volume with these files of secrets and no others. Each is a Secret of its own, with one key."""
    sources = [{"secret": {"name": kubernetes_name(file), "items": [{"key": file, "path": file}]}} for file in files]
    return {"name": name, "projected": {"defaultMode": 0o440, "sources": sources}}


def kubernetes_name(name: str) -> str:
    """Returns a name as Kubernetes accepts it."""
    return name.replace("_", "-").replace("/", "-")


def container(name: str, image: str, *, user: int = USER, **more: Any) -> Json:
    """Returns a container without rights, whose own files cannot be written."""
    limits = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsUser": user,
    }
    return {"name": name, "image": image, "securityContext": limits} | more


def memory(request: str, limit: str, cpu: str = "100m") -> Json:
    """Returns what a container asks for, and the memory at which it is ended."""
    return {"requests": {"cpu": cpu, "memory": request}, "limits": {"memory": limit}}


def environment(process: Process) -> dict[str, str]:
    """Returns the settings of the process, with the pooler as its database if its connections may be shared."""
    found = COMMON | PLACE.environment(process)
    if process.name in POOLED:
        found = {name: value.replace("@postgres/", f"@{POOLER}/") for name, value in found.items()}
    if process.counts:
        found["PROMETHEUS_MULTIPROC_DIR"] = f"{VAR}/metrics"
    return found


def main_container(process: Process) -> Json:
    """Returns the container of the process."""
    start: list[str] = ["python3"]
    if process.face:  # a container that was killed leaves its socket in the pod's folder
        start = ["python3", "-m", "siths_portal.dev.contained", "--socket", PLACE.socket(process), "python3"]
    mounts = [mount("tmp", "/tmp"), *(_mount_of(process, folder) for folder in process.folders)]
    mounts += [mount("secrets", SECRETS, read_only=True)] if secrets(process) else []
    mounts += [mount("socket", f"/run/{process.name}")] if process.face or process.has_token else []
    mounts += [mount("metrics", f"{VAR}/metrics")] if process.counts else []
    more = _probes(process)
    if process.port is not None and not process.face:
        more["ports"] = [{"name": "http", "containerPort": port(process)}]
    return container(
        process.name,
        IMAGE,
        command=[*start, *PLACE.arguments(process)],
        env=variables(environment(process)),
        envFrom=[{"configMapRef": {"name": SETTINGS}}],
        volumeMounts=mounts,
        resources=memory("400Mi" if process.name == "portal" else "256Mi", "1Gi", f"{process.cpu_weight}m"),
        **more,
    )


def _mount_of(process: Process, folder: str) -> Json:
    return mount(kubernetes_name(folder), f"{VAR}/{folder}", read_only=folder == PUSH or process.name == "status")


def _probes(process: Process) -> Json:
    """A process that is not ready gets no requests; only one that does not live is started again."""
    if process.health != READY:
        return {}

    def probe(what: str, **limits: int) -> Json:
        asked: Json = {"httpGet": {"path": f"/healthz/{what}", "port": "http"}}
        if process.face:
            asked = {"exec": {"command": ["python3", "-m", "siths_portal.dev.probes", PLACE.socket(process), what]}}
        return asked | {"timeoutSeconds": 10} | limits

    return {
        "startupProbe": probe("live", periodSeconds=5, failureThreshold=24),
        "readinessProbe": probe("ready", periodSeconds=10, failureThreshold=3),
        "livenessProbe": probe("live", periodSeconds=20, failureThreshold=3),
    }


def metrics_container() -> Json:
    """Returns the container that serves the metrics of its pod. It sees which processes live, and cannot read their memory."""
    process = BY_NAME["metrics"]
    return container(
        "metrics",
        IMAGE,
        user=METRICS_USER,
        command=["python3", *PLACE.arguments(process)],
        env=variables(COMMON | PLACE.environment(process) | {"PROMETHEUS_MULTIPROC_DIR": f"{VAR}/metrics"}),
        envFrom=[{"configMapRef": {"name": SETTINGS}}],
        ports=[{"name": "metrics", "containerPort": port(process)}],
        volumeMounts=[mount("tmp", "/tmp"), mount("metrics", f"{VAR}/metrics")],
        resources=memory("96Mi", "256Mi", "20m"),
    )


FRONTS: Mapping[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "portal": (("people", "tls"), {"SITHS_FORWARDED_PROTO": "$scheme", "SITHS_SITE": "portal"}),
    "minasidor": (("people", "tls"), {"SITHS_FORWARDED_PROTO": "$scheme", "SITHS_SITE": "minasidor"}),
    "login": (("login",), {"SITHS_OCSP": "http://status/ocsp"}),
    "api": (("mtls",), {}),
    "status": (("status",), {"SITHS_OCSPD": f"ocspd:{port(BY_NAME['ocspd'])}"}),
}
"""The templates of each site's reverse proxy, and the values that do not follow from the table."""


def front_container(process: Process) -> Json:
    """Returns the reverse proxy of a site, which ends TLS and shares the site's socket (ADR 0319)."""
    templates, values = FRONTS[process.name]
    number, socket = str(port(process)), PLACE.socket(process)
    values = values | {"NGINX_ENVSUBST_FILTER": "^SITHS_", "SITHS_TLS": "/run/tls"}
    values |= {
        "people": {"SITHS_SITE_LISTEN": f"{number} ssl", "SITHS_UPSTREAM": f"unix:{socket}"},
        "login": {"SITHS_LOGIN_LISTEN": number, "SITHS_LOGIN_SOCKET": socket},
        "mtls": {"SITHS_LISTEN": number, "SITHS_API_SOCKET": socket},
        "status": {"SITHS_STATUS_LISTEN": number, "SITHS_STATUS": f"unix:{socket}"},
    }[templates[0]]
    env = variables(values)
    if process.name == "login":
        settings = {"SITHS_MINASIDOR": "MINASIDOR_BASE_URL", "SITHS_PORTAL": "PORTAL_BASE_URL"}
        env += [
            {"name": ours, "valueFrom": {"configMapKeyRef": {"name": SETTINGS, "key": key}}} for ours, key in settings.items()
        ]
    tls = [mount("tls", "/run/tls", read_only=True)] if process.name in CERTIFICATES else []
    return container(
        "front",
        NGINX,
        user=NGINX_USER,
        env=env,
        ports=[{"name": "front", "containerPort": port(process)}],
        volumeMounts=[
            mount("nginx-templates", "/etc/nginx/templates", read_only=True),
            mount("nginx-conf", "/etc/nginx/conf.d"),
            mount("nginx-tmp", "/tmp"),
            mount("socket", f"/run/{process.name}"),
            *tls,
        ],
        readinessProbe={"tcpSocket": {"port": "front"}, "periodSeconds": 10},
        resources=memory("64Mi", "256Mi", "50m"),
    )


def pod(process: Process, cell: str = "") -> Json:
    """Returns the pod of the process, with its reverse proxy if it is a site, and its server of metrics if alarms need them."""
    containers = [main_container(process)]
    volumes = [volume("tmp"), *(_volume_of(folder, cell) for folder in process.folders)]
    volumes += [secret_volume("secrets", secrets(process))] if secrets(process) else []
    volumes += [volume("socket")] if process.face or process.has_token else []
    if process.face:
        containers.append(front_container(process))
        volumes += [volume("nginx-conf"), volume("nginx-tmp")]
        items = [{"key": f"{name}.conf.template", "path": f"{name}.conf.template"} for name in FRONTS[process.name][0]]
        volumes.append({"name": "nginx-templates", "configMap": {"name": "fronts", "items": items}})
        if process.name in CERTIFICATES:
            volumes.append({"name": "tls", "secret": {"secretName": CERTIFICATES[process.name], "defaultMode": 0o440}})
    if process.counts:
        containers.append(metrics_container())
        volumes.append(volume("metrics"))
    return base(containers, volumes) | ({"shareProcessNamespace": True} if process.counts else {})


def base(containers: Sequence[Json], volumes: Sequence[Json]) -> Json:
    """Returns a pod of these containers without rights and without an account of the cluster."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsGroup": USER,
            "runAsNonRoot": True,
            "runAsUser": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 60,
        "containers": list(containers),
        "volumes": list(volumes),
    }


def _volume_of(folder: str, cell: str) -> Json:
    name = kubernetes_name(folder)
    if folder == PUSH:
        return {"name": name, "secret": {"secretName": "supplier-push", "defaultMode": 0o440}}
    return claimed(name, f"{name}-{cell}" if folder == "ocsp" else name)
