"""Alarm rules speak of metrics that there are, each has its page in the runbook, and they fire when things are wrong
(rules/pki 5.5, 6.1)."""

import datetime as dt
import operator
import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.db import transaction
from django.db.models import F
from prometheus_client import REGISTRY

from authn.services import log_in
from billing.delivery.services import measures as delivery_measures
from billing.runs.services import schedule
from issuance.activation.services import receipt_validation
from issuance.operators.queries import pki_health_words
from issuance.register_care.services import measures as care_measures
from issuance.roles.services import role_holder_reading
from issuance.search.services import search_watch
from issuance.stock.services import measures as stock_measures
from issuance.suppliers.push.services import measures as push_measures
from issuance.suppliers.services import order_measures
from pki import tasks
from pki.crl import building
from pki.crl import scopes as crl_scopes
from pki.health import checks
from pki.hsm import HsmUnavailable
from pki.hsm import metrics as hsm_metrics
from pki.issuing import responders
from pki.models import Certificate, CertificateAuthority, CrlScope, OcspSigner
from pki.ocsp import presigning, publishing
from pki.ocspd import metrics as ocspd_metrics
from pki.operators import status, status_measures
from pki.revocation.revoking import plan_revocation
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from siths_portal.lib.http import client_sessions
from siths_portal.lib.mail import smtp
from siths_portal.lib.monitoring import response_metrics, task_metrics
from siths_portal.ops import retention
from tests.pki.orders import card, plan

ROOT = Path(settings.BASE_DIR)
FILES = sorted((ROOT / "docs" / "alarms").glob("*.rules.yml"))
GROUPS = [group for file in FILES for group in yaml.safe_load(file.read_text())["groups"]]
RULES = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
RUNBOOK = (ROOT / "docs" / "alarms.md").read_text()
COUNTED_IN = (
    checks, delivery_measures, hsm_metrics, publishing, order_measures, role_holder_reading, search_watch, status_measures,
    ocspd_metrics, schedule, push_measures, care_measures, stock_measures,
    receipt_validation, retention,
    log_in, client_sessions, response_metrics, task_metrics, smtp,
)  # fmt: skip
"""Whoever counts; imported, so that their metrics are registered."""
DEMANDED = {
    "ocsp_stale_served_total", "ocsp_sign_queue_depth", "ocsp_response_age_seconds", "ocsp_status_lag_seconds",
    "ocsp_requests_total", "crl_age_seconds",
}  # fmt: skip
"""What rules/pki 5.5 and 6.1 name, with their applications before them."""

_WORDS = {"by", "le", "sum", "max", "min", "rate", "increase", "histogram_quantile", "time", "absent", "offset", "or", "unless"}
_PLAIN = re.compile(r"(max\()?(\w+)(?:\{(\w+)(=~?)\"([^\"]*)\"\})?\)? (>|<|==) ([\d.]+)")


def metrics() -> dict[str, set[str]]:
    """Every name that is exposed, with its labels."""
    ocspd_metrics.counters()
    found = {}
    for metric in REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(metric.type, [""])
        labels = {label for sample in metric.samples for label in sample.labels}
        found |= {metric.name + suffix: labels for suffix in suffixes}
    return found


def names_of(expression: str) -> set[str]:
    """The metrics that an expression speaks of."""
    without = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)|\boffset \d+m', " ", expression)
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
    """Alarms of which a part that is a plain comparison holds now, whatever their `for` says."""
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    parts = [(alert, part) for alert, rule in RULES.items() for part in rule["expr"].split(" or ")]
    return {alert for alert, part in parts if holds(part, samples)}


def holds(comparison: str, samples: list) -> bool:
    """Whether it is a plain comparison, and some sample meets it; of a `max`, the largest."""
    match = _PLAIN.fullmatch(comparison)
    if match is None:
        return False
    of_all, name, label, how, wanted, sign, limit = match.groups()
    values = []
    for sample in samples:
        told = sample.labels.get(label, "") if label else ""
        fits = label is None or (bool(re.fullmatch(wanted, told)) if how == "=~" else told == wanted)
        if sample.name == name and fits:
            values.append(sample.value)
    if of_all and values:
        values = [max(values)]
    compared = {">": operator.gt, "<": operator.lt, "==": operator.eq}[sign]
    return any(compared(value, float(limit)) for value in values)


@pytest.fixture
def fresh(monkeypatch):
    """No values of tests before."""
    for name in dir(status_measures):
        metric = getattr(status_measures, name)
        if hasattr(metric, "_metrics") and getattr(metric, "_labelnames", ()):
            metric.clear()
    checks._STATE.clear()


OF_STATUS = {rule["alert"] for group in GROUPS if group["name"] == "pki-status" for rule in group["rules"]}


@pytest.fixture
def well(demo_pki, fresh):
    """A PKI with a card, its answers, and lists of now."""
    plan(*card())
    demo_pki.settle()
    presigning.presign_due(limit=10_000)
    building.publish_online()
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


def test_a_revoked_signer_that_nobody_can_replace(small_pki, fresh, monkeypatch):
    """Its numbers are not the last good ones for ever."""
    presigning.presign_due(limit=10_000)
    building.publish_online()
    status_measures.measure()
    assert firing() & OF_STATUS == set()
    ca = CertificateAuthority.objects.get(slug="function")
    signer = OcspSigner.objects.get(ca=ca)
    now = clock.now()
    with transaction.atomic():
        revoked = {"reason": "keyCompromise", "actor_ref": "system:test", "received_at": now, "channel": "system"}
        plan_revocation([signer.certificate_id], **revoked)
    with monkeypatch.context() as patched:
        away(patched)
        tasks.renew_responders()
    for minutes, wanted in ((0, set()), (5, {"OcspStatusLag"})):
        with clock.moved_to(now + dt.timedelta(minutes=minutes)):
            status_measures.measure()
        assert {"OcspSignerEnding", *wanted} <= firing()
    assert REGISTRY.get_sample_value("ocsp_signer_left_seconds", {"ca": "function:1"}) == 0
    assert REGISTRY.get_sample_value("ocsp_sign_queue_depth", {"ca": "function:1"}) == 1
    tasks.renew_responders()
    presigning.presign_due(limit=10_000)
    status_measures.measure()
    assert firing() & OF_STATUS == set()


def away(monkeypatch) -> None:
    """As if the token did not answer when a responder is to be made."""

    def fail(*_arguments, **_options):
        raise HsmUnavailable("away")

    monkeypatch.setattr(responders, "ensure", fail)


def test_answers_that_only_a_ceremony_renews_are_told_while_there_is_time_for_one(well):
    """The list alone was renewed, so nothing else tells."""
    now = clock.now()
    for days, fires in ((200, False), (273, False), (275, True)):
        with clock.moved_to(now + dt.timedelta(days=days)):
            tell(CertificateAuthority.objects.get(slug="root"))
        assert ("OcspAnswersEnding" in firing()) == fires, days
    assert 0.24 < REGISTRY.get_sample_value("ocsp_response_validity_left", {"ca": "root:1"}) < 0.25
    assert REGISTRY.get_sample_value("ocsp_response_left_seconds", {"ca": "root:1"}) > 80 * 86_400


def tell(ca: CertificateAuthority) -> None:
    """The numbers of this CA's answers as they are now."""
    (found,) = [each for each in status.ca_statuses() if each.id == ca.pk]
    status_measures._show_answers(found, clock.now())


def test_nobody_who_tells_anything_is_an_alarm():
    """A worker that never ran leaves no metric behind whose age could be told; so does a process that nobody reads."""
    for alert, name in (("StatusNotMeasured", "pki_status_measured_seconds"), ("OcspNoProcess", "ocspd_processes")):
        assert RULES[alert]["expr"].endswith(f" or absent({name})")


@pytest.mark.parametrize("said", ocspd_metrics._ERRORS.values())
def test_of_what_the_responder_cannot_answer_each_kind_that_is_its_fault_has_an_alarm(said):
    """Requests that are malformed or of other CAs are their senders' faults."""
    covered = {found for rule in RULES.values() for found in re.findall(r'ocsp_requests_total\{status="(\w+)"\}', rule["expr"])}
    assert (said in covered) == (said in {"internal", "try_later"})


def test_the_first_internal_error_of_a_process_is_seen():
    """`increase` needs a sample before; a series that was not there five minutes ago is new."""
    series = 'ocsp_requests_total{status="internal"}'
    rising, new = RULES["OcspInternal"]["expr"].split(" or ")
    assert rising == f"increase({series}[5m]) > 0"
    assert new == f"({series} > 0 unless {series} offset 5m)"


def test_a_chain_that_is_broken_pages(well, monkeypatch):
    checks._STATE.labels("händelsekedja pki").set(2)
    assert {"AuditChainBroken", "PkiWrong"} <= firing()
    assert dt.timedelta(seconds=1200) > crl_scopes.APART  # what CrlLacksRevocations takes for late


@pytest.mark.parametrize(
    ("subject", "alarm", "severity"),
    [
        ("journal", "JournalStops", 2), ("volym backup", "VolumeFull", 2), ("säkerhetskopia", "BackupLate", 1),
        ("tls api.example.org", "FrontCertificateEnds", 1),
    ],
)  # fmt: skip
def test_what_the_installation_stands_on_has_alarms_of_its_own(fresh, subject, alarm, severity):
    state = checks._STATE.labels(subject)
    try:
        state.set(severity - 1)
        assert alarm not in firing()
        state.set(severity)
        assert alarm in firing()
    finally:
        checks._STATE.clear()


def test_every_alarm_that_driftlage_leads_to_has_its_section():
    assert set(pki_health_words.RUNBOOK.values()) | {"PkiWrong"} <= set(RULES)
    assert set(pki_health_words.RUNBOOK) <= set(pki_health_words.AREAS)
