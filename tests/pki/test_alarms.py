"""Alarm rules speak of metrics that there are, each has its page in the runbook, and they fire when things are wrong (F6, F7)."""

import datetime as dt
import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.db.models import F
from prometheus_client import REGISTRY

from pki import crl, crl_scopes, health, ocsp, ocsp_publishing, status_measures, tasks
from pki.hsm import metrics as hsm_metrics
from pki.models import Certificate, CertificateAuthority, CrlScope, OcspSigner
from pki.ocspd import telling
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from tests.pki.orders import card, plan

ROOT = Path(settings.BASE_DIR)
GROUPS = yaml.safe_load((ROOT / "docs" / "alarms" / "pki.rules.yml").read_text())["groups"]
RULES = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
RUNBOOK = (ROOT / "docs" / "alarms.md").read_text()
COUNTED_IN = (health, hsm_metrics, ocsp_publishing, status_measures, telling)
"""Whoever counts; imported, so that their metrics are registered."""
DEMANDED = {
    "ocsp_stale_served_total", "ocsp_sign_queue_depth", "ocsp_response_age_seconds", "ocsp_status_lag_seconds",
    "ocsp_requests_total", "crl_age_seconds",
}  # fmt: skip
"""What the specification's F6 and F7 name, with their applications before them."""

_WORDS = {"by", "le", "sum", "max", "min", "rate", "increase", "histogram_quantile", "time"}
_PLAIN = re.compile(r"(\w+)(?:\{(\w+)(=~?)\"([^\"]*)\"\})? (>|<|==) ([\d.]+)")


def metrics() -> dict[str, set[str]]:
    """Every name that is exposed, with its labels."""
    telling.counters()
    found = {}
    for metric in REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(metric.type, [""])
        labels = {label for sample in metric.samples for label in sample.labels}
        found |= {metric.name + suffix: labels for suffix in suffixes}
    return found


def names_of(expression: str) -> set[str]:
    """The metrics that an expression speaks of."""
    without = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)', " ", expression)
    return set(re.findall(r"[a-z_][a-z_0-9]*", without)) - _WORDS


@pytest.mark.parametrize("alert", sorted(RULES))
def test_a_rule_speaks_of_metrics_that_there_are(alert):
    names = names_of(RULES[alert]["expr"])
    assert names
    assert names <= set(metrics())


@pytest.mark.parametrize("alert", sorted(RULES))
def test_a_rule_has_its_section_in_the_runbook(alert):
    rule = RULES[alert]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"docs/alarms.md#{alert.lower()}"
    section = RUNBOOK.split(f"\n## {alert}\n", 1)[1].split("\n## ", 1)[0]
    assert "**Means.** " in section
    assert "**Do.** " in section


def test_the_runbook_has_no_other_alarms_and_no_name_stands_twice():
    assert sorted(re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)) == sorted(RULES)
    assert sum(len(group["rules"]) for group in GROUPS) == len(RULES)


def test_what_the_specification_names_is_counted_and_the_reader_of_names_can_fail():
    assert set(metrics()) >= DEMANDED
    assert names_of('sum by (ckr) (increase(no_such_total{said="x"}[5m])) > 5') == {"no_such_total"}
    assert "no_such_total" not in metrics()


def firing() -> set[str]:
    """Alarms whose expression is a plain comparison that holds now, whatever their `for` says."""
    found = set()
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    for alert, rule in RULES.items():
        match = _PLAIN.fullmatch(rule["expr"])
        if match is None:
            continue
        name, label, how, wanted, sign, limit = match.groups()
        for sample in samples:
            told = sample.labels.get(label, "") if label else ""
            fits = label is None or (bool(re.fullmatch(wanted, told)) if how == "=~" else told == wanted)
            holds = {">": sample.value > float(limit), "<": sample.value < float(limit), "==": sample.value == float(limit)}
            if sample.name == name and fits and holds[sign]:
                found.add(alert)
    return found


@pytest.fixture
def fresh(monkeypatch):
    """No values of tests before."""
    for name in dir(status_measures):
        metric = getattr(status_measures, name)
        if hasattr(metric, "_metrics") and getattr(metric, "_labelnames", ()):
            metric.clear()
    health._STATE.clear()


OF_STATUS = {rule["alert"] for group in GROUPS if group["name"] == "pki-status" for rule in group["rules"]}


@pytest.fixture
def well(demo_pki, fresh):
    """A PKI with a card, its answers, and lists of now."""
    plan(*card())
    demo_pki.settle()
    ocsp.presign_due(limit=10_000)
    crl.publish_online()
    tasks.measure_status()


def test_nothing_fires_while_all_is_well(well):
    assert firing() & OF_STATUS == set()
    assert REGISTRY.get_sample_value("ocsp_response_coverage", {"ca": "person-hsaid-3:1"}) == 1
    assert REGISTRY.get_sample_value("ocsp_sign_queue_depth", {"ca": "person-hsaid-3:1"}) == 0
    assert 0 <= REGISTRY.get_sample_value("crl_age_seconds", {"ca": "person-hsaid-3:1", "scope": "all"}) < 600
    assert SCHEDULE["pki.measure_status"] == ("pki.measure_status", 15, "pki")


def after(hours: float) -> None:
    with clock.moved_to(clock.now() + dt.timedelta(hours=hours)):
        status_measures.measure()


def test_lists_that_nobody_makes(well):
    after(2)
    assert "CrlLate" in firing()
    assert "CrlEnding" not in firing()
    after(25)
    assert {"CrlLate", "CrlEnding", "OcspAnswersEnding"} <= firing()


def test_a_revocation_that_nobody_tells(well):
    row = Certificate.objects.filter(ca__slug="person-hsaid-3", subject_ref__startswith="person:").earliest("id")
    ca = CertificateAuthority.objects.get(slug="person-hsaid-3")
    version = ca.status_version + 1
    CertificateAuthority.objects.filter(pk=ca.pk).update(status_version=version)
    now = clock.now()
    Certificate.objects.filter(pk=row.pk).update(status="revoked", reason="superseded", revoked_at=now, status_version=version)
    status_measures.measure()
    assert firing() & {"OcspStatusLag", "CrlLacksRevocations"} == set()
    with clock.moved_to(now + dt.timedelta(minutes=2)):
        status_measures.measure()
    assert firing() & {"OcspStatusLag", "CrlLacksRevocations"} == {"OcspStatusLag"}
    after(0.4)
    assert {"OcspStatusLag", "CrlLacksRevocations", "OcspCoverage"} <= firing()
    assert REGISTRY.get_sample_value("ocsp_sign_queue_depth", {"ca": "person-hsaid-3:1"}) == 1


def test_attempts_that_fail_and_a_signer_that_ends(well):
    CrlScope.objects.filter(ca__slug="function").update(failures=3, retry_at=clock.now())
    OcspSigner.objects.filter(ca__slug="function").update(not_after=F("not_after") - dt.timedelta(days=25))
    status_measures.measure()
    assert {"CrlFails", "OcspSignerEnding"} <= firing()


def test_a_chain_that_is_broken_pages(well, monkeypatch):
    health._STATE.labels("händelsekedja pki").set(2)
    assert {"AuditChainBroken", "PkiWrong"} <= firing()
    assert dt.timedelta(seconds=1200) > crl_scopes.APART  # what CrlLacksRevocations takes for late
