"""NetworkPolicies: each process of the table may make and accept only the connections that it needs."""

from collections.abc import Iterable, Mapping
from typing import Any

from siths_portal.dev.deployment.places import port
from siths_portal.dev.deployment.pods import POOLED
from siths_portal.lib.processes.table import BY_NAME, PROCESSES, Process

type Json = dict[str, Any]

NAME = "app.kubernetes.io/name"
POSTGRES, REDIS, POOLER_PORT = 5432, 6379, 6432
OCSPD, STATUS = port(BY_NAME["ocspd"]), port(BY_NAME["status"])
HTTPS, MAIL = 443, (587,)
OUTSIDE: Mapping[str, tuple[int, ...]] = {
    "portal": (HTTPS,),  # HSA directory, person register, identity provider
    "minasidor": (HTTPS,),
    "api": (HTTPS,),  # the holder's address in the person register
    "worker": (HTTPS, *MAIL),  # also the Peppol access point and the mail server
    "suppliers-worker": (HTTPS,),  # suppliers that are pushed to
}
"""The ports of external systems to which a process connects. The overlay of an installation narrows the addresses."""
NO_QUEUE = frozenset({"status"})
"""Processes with a database that wake no worker."""
MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
ANYBODY = [
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
    {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10"]}},
]
"""All addresses but those of the cluster's machines themselves, where clouds serve their credentials."""


def to(name: str, number: int) -> Json:
    """Returns the egress rule for a port of the pods of that name, in the same namespace."""
    return {"to": [{"podSelector": {"matchLabels": {NAME: name}}}], "ports": [tcp(number)]}


def tcp(number: int) -> Json:
    """Returns a port."""
    return {"protocol": "TCP", "port": number}


def egress(process: Process) -> list[Json]:
    """Returns the egress rules of the process."""
    rules = []
    if process.name in POOLED:
        rules.append(to("pgbouncer", POOLER_PORT))
    elif process.role:
        rules.append(to("postgres", POSTGRES))
    if process.role and process.name not in NO_QUEUE:
        rules.append(to("redis", REDIS))
    if process.name == "status":
        rules.append(to("ocspd", OCSPD))
    if process.name == "login":
        rules.append(to("status", STATUS))
    if ports := OUTSIDE.get(process.name):
        rules.append({"to": ANYBODY, "ports": [tcp(number) for number in ports]})
    return rules


def ingress(process: Process) -> list[Json]:
    """Returns the ingress rules of the process and its reverse proxy."""
    rules: list[Json] = []
    if process.face:
        rules.append({"ports": [tcp(port(process))]})
    if process.name == "ocspd":
        rules.append({"from": [{"podSelector": {"matchLabels": {NAME: "status"}}}], "ports": [tcp(OCSPD)]})
    if process.counts:
        rules.append({"from": [MONITORING], "ports": [tcp(port(BY_NAME["metrics"]))]})
    return rules


def policy(name: str, *, ingress: Iterable[Json] = (), egress: Iterable[Json] = ()) -> Json:
    """Returns the policy of the pods of that name. What it does not list stays forbidden."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {
            "podSelector": {"matchLabels": {NAME: name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": list(ingress),
            "egress": list(egress),
        },
    }


def all_policies() -> list[Json]:
    """Returns the policies of the namespace."""
    own = [process for process in PROCESSES if process.name != "metrics"]
    queued = [
        {"podSelector": {"matchLabels": {NAME: process.name}}} for process in own if process.role and process.name not in NO_QUEUE
    ]
    pooled = [{"podSelector": {"matchLabels": {NAME: name}}} for name in sorted(POOLED)]
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    dns = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"protocol": "UDP", "port": 53}, tcp(53)],
    }
    return [
        kind | {"metadata": {"name": "default-deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}},
        kind | {"metadata": {"name": "names"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [dns]}},
        *(policy(process.name, ingress=ingress(process), egress=egress(process)) for process in own),
        policy("migrate", egress=[to("postgres", POSTGRES)]),
        policy("redis", ingress=[{"from": queued, "ports": [tcp(REDIS)]}]),
        policy("pgbouncer", ingress=[{"from": pooled, "ports": [tcp(POOLER_PORT)]}], egress=[to("postgres", POSTGRES)]),
    ]
