"""Who may do what: every set of rights, each operation, own certificates and others', this CA and profile and another's."""

import itertools
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from authn.models import ServiceClient
from pki.clients import permissions
from pki.domain.orders import CertificateOrder
from pki.issuing import planning
from pki.models import Certificate, ClientPermission, Event
from siths_portal.lib.errors import Invalid, NotFound
from tests.pki.clients.service import SUBJECT, code, csr, issued, names, order
from tests.pki.orders import csr as csr_der
from tests.pki.orders import order as certificate_order
from tests.rewinding import undone

pytestmark = pytest.mark.django_db(transaction=True)
SUBSETS = [" ".join(each) for count in range(4) for each in itertools.combinations(permissions.RIGHTS, count)]
PERSON = "person-id-auth"
ALLOWED = {"dNSName": ["api.demo.example.com"]}


def planned(wanted: CertificateOrder, client_ref: str) -> Certificate:
    with transaction.atomic():
        (id_,) = planning.plan_certificates([wanted], actor_ref="system:test", unit_ref="", client_ref=client_ref)
    return Certificate.objects.select_related("ca", "profile_version").get(pk=id_)


@pytest.fixture
def rows(api):
    """Issued certificates by profile and by who ordered them: `x`, whose rights are looked at, or somebody else."""
    made = {
        ("function", "x"): planned(certificate_order("function", subject_ref="s1"), "x"),
        ("function", "y"): planned(certificate_order("function", subject_ref="s2"), "y"),
        (PERSON, "x"): planned(certificate_order(PERSON, subject_ref="s3", csr_der=csr_der()), "x"),
        (PERSON, "y"): planned(certificate_order(PERSON, subject_ref="s4", csr_der=csr_der()), "y"),
    }
    api.pki.settle()
    return made


def test_each_set_of_rights_allows_what_it_says_and_nothing_beside(api, rows, subtests: pytest.Subtests) -> None:
    """One set of certificates for all sets of rights, since what a client with the one set did is rolled back for the next."""
    on_function = [("function", rights) for rights in SUBSETS]
    for profile, rights in on_function + [(PERSON, rights) for rights in SUBSETS if "issue" not in rights]:
        with subtests.test(profile=profile, rights=rights), undone():
            _walk(api, rows, profile, rights)
            connection.check_constraints()  # as a commit would


def _walk(api, rows, profile: str, rights: str) -> None:
    x = api.service("x", **{profile.replace("-", "_"): rights})
    held = set(rights.split())
    for (its, owner), row in rows.items():
        here = held if its == profile else set()
        readable = "read" in here or ("issue" in here and owner == "x")
        visible = readable or "revoke" in here
        assert x.read(row).status_code == (200 if readable else 403 if visible else 404)
        hits = x.search(subject_ref=row.subject_ref).json()["certificates"]
        assert hits == ([_summary(x.read(row).json())] if readable else [])
        assert x.revoke(row).status_code == (200 if "revoke" in here else 403 if visible else 404)
    for its in ("function", PERSON):
        here = held if its == profile else set()
        assert x("POST", "certificates", key=uuid4().hex, body=wanted(its)).status_code == (
            202 if "issue" in here else 403 if here else 404
        )


def _summary(detail: dict) -> dict:
    return {name: value for name, value in detail.items() if name not in ("certificate", "der", "chain")}


def wanted(profile: str) -> dict:
    if profile == "function":
        return order()
    person = certificate_order(profile)
    return {
        "issuer": person.ca, "profile": profile, "subject": dict(person.subject), "csr": csr(), "subject_ref": uuid4().hex,
        "card_number": person.card_number,
    }  # fmt: skip


def asked(service, method: str, path: str, body=None):
    """Status, body, headers and the queries' texts without their values."""
    with CaptureQueriesContext(connection) as queries:
        answer = service(method, path, key="k", body=body)
    headers = {name: value for name, value in answer.headers.items() if name not in ("X-Request-Id", "RateLimit")}
    return answer.status_code, answer.content, headers, [query["sql"][:50] for query in queries.captured_queries]


def test_what_is_hidden_is_answered_as_what_does_not_exist(api, rows) -> None:
    x, row = api.service("x", person_id_auth="revoke read"), rows["function", "y"]
    pairs = [
        ("GET", f"certificates/function/{row.serial}", "certificates/function/01ABCDEF", None, None),
        ("GET", f"certificates/function/{row.serial}", f"certificates/nothing/{row.serial}", None, None),
        (
            "POST", "revocations", "revocations",
            {"issuer": "function", "serial": row.serial, "reason": "superseded"},
            {"issuer": "function", "serial": "01ABCDEF", "reason": "superseded"},
        ),
        ("POST", "certificates", "certificates", order(csr=csr()), order(csr=csr(), issuer="nothing")),
        ("POST", "certificates", "certificates", order(csr=csr()), order(csr=csr(), profile="nothing")),
        ("POST", "certificates/search", "certificates/search", {"subject_ref": "s2"}, {"subject_ref": "s0"}),
    ]  # fmt: skip
    for method, hidden, unknown, body, other in pairs:
        first, second = asked(x, method, hidden, body), asked(x, method, unknown, other)
        assert first == second, hidden
        assert first[0] == (200 if "search" in hidden else 404)


def test_rights_count_from_the_next_request(api, rows) -> None:
    x, row = api.service("x", function="read"), rows["function", "y"]
    assert x.read(row).status_code == 200
    withdrawn = permissions.withdraw_client(client_ref="x", ca="function", profile="function", actor_ref="operator:o")
    assert withdrawn.rights == ()
    assert x.read(row).status_code == 404
    permissions.grant_client(
        client_ref="x", ca="function", profile="function", rights=["revoke"], names=["*"], actor_ref="operator:o"
    )
    assert (x.read(row).status_code, code(x.read(row))) == (403, "client-may-not-read")
    assert code(x.order()) == "client-may-not-issue"


def test_a_certificate_that_was_ordered_is_read_no_more_without_rights(signer, api, a) -> None:
    body = order()
    assert a("POST", "certificates", key="k", body=body).status_code == 201
    permissions.withdraw_client(client_ref="a", ca="function", profile="function", actor_ref="operator:o")
    assert a("POST", "certificates", key="k", body=body).status_code == 404


@pytest.mark.parametrize("kind", ["supplier", None])
def test_a_client_of_another_kind_and_a_stranger_get_nothing(api, kind) -> None:
    row = issued(api.pki)
    if kind:
        client = api.service("z", kind=kind, function="issue revoke read")
    else:
        client = api.service("z", function="issue revoke read")
        from authn.models import ServiceClient

        ServiceClient.objects.update(active=False)
    for answer in (client.read(row), client.order(), client.revoke(row), client.search(subject_ref="s")):
        assert (answer.status_code, code(answer)) == ((403, "permission-denied") if kind else (401, "authentication-failed"))
    assert not Certificate.objects.filter(status="revoked").exists()


def test_imported_serials_and_the_pkis_own_certificates_are_nobodys_to_order_or_revoke(api) -> None:
    for profile, ca in (("ocsp-signer", "function"), ("issuing-ca", "root")):
        for right in ("issue", "revoke"):
            with pytest.raises(Invalid) as refused:
                permissions.grant_client(client_ref="x", ca=ca, profile=profile, rights=[right], actor_ref="operator:o")
            assert refused.value.code == "profile-not-orderable"
    x = api.service("x")
    permissions.grant_client(client_ref="x", ca="root", profile="issuing-ca", rights=["read"], actor_ref="operator:o")
    row = Certificate.objects.select_related("ca").filter(ca__slug="root", profile_version__name="issuing-ca").first()
    assert x.read(row).status_code == 200
    assert x.revoke(row).status_code == 403


def test_each_change_of_rights_is_one_event_and_what_changes_nothing_none(api) -> None:
    def grant(*rights: str):
        return permissions.grant_client(
            client_ref="x", ca="function", profile="function", rights=rights, names=["*"], actor_ref="operator:o"
        )

    assert grant("read").rights == ("read",)
    assert grant("issue", "read").rights == ("issue", "read")
    assert grant("read").rights == ("issue", "read")
    gone = permissions.withdraw_client(
        client_ref="x", ca="function", profile="function", rights=["issue", "revoke"], actor_ref="operator:o"
    )
    assert gone.rights == ("read",)
    assert permissions.client_permissions() == permissions.client_permissions("x") == [gone]
    permissions.withdraw_client(client_ref="x", ca="function", profile="function", actor_ref="operator:o")
    assert not ClientPermission.objects.exists()
    with pytest.raises(NotFound):
        permissions.withdraw_client(client_ref="x", ca="function", profile="function", actor_ref="operator:o")
    told = Event.objects.filter(subject_type="client", subject_ref="x", actor_ref="operator:o").order_by("id")
    assert [(each.action, each.facts["rights"]) for each in told] == [
        ("client.granted", ["read"]),
        ("client.granted", ["issue"]),
        ("client.withdrawn", ["issue"]),
        ("client.withdrawn", ["read"]),
    ]
    assert {(each.facts["ca"], each.facts["profile"]) for each in told} == {("function", "function")}


def test_grants_at_once_lose_none(api) -> None:
    import threading

    def work(right: str) -> None:
        permissions.grant_client(
            client_ref="x", ca="function", profile="function", rights=[right], names=["*"], actor_ref="operator:o"
        )
        connection.close()

    threads = [threading.Thread(target=work, args=(right,)) for right in permissions.RIGHTS * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (held,) = permissions.client_permissions("x")
    assert held.rights == permissions.RIGHTS
    assert Event.objects.filter(subject_type="client").count() == 3


OTHER_ATTRIBUTES = [
    ({"organizationName": "Demo Kort AB"}, "client-may-not-use-attribute"),
    ({"serialNumber": "SE2321000016-1003"}, "client-may-not-use-attribute"),
    ({"localityName": "Ort"}, "client-may-not-use-attribute"),
    ({"organizationIdentifier": "NTRSE-5560160680"}, "client-may-not-use-attribute"),
    ({"countryName": "NO"}, "client-may-not-use-attribute"),
    ({"commonName": "localhost"}, "client-may-not-use-name"),
    ({"commonName": "Demo Kort AB"}, "client-may-not-use-name"),
]
OTHER_NAMES = [
    ({"dNSName": ["localhost"]}, "api.demo.example.com"),
    ({"dNSName": ["api.demo.example.com", "other.demo.example.com"]}, "api.demo.example.com"),
    ({"dNSName": ["units.example.com"]}, "api.demo.example.com"),
    ({"dNSName": ["xunits.example.com"]}, "api.demo.example.com"),
    ({"iPAddress": ["127.0.0.1"]}, "api.demo.example.com"),
    ({"dNSName": ["api.demo.example.com"]}, "bank.example.com"),
]


class TestNames:
    """A service orders certificates only for names that it was granted, and revokes only what it ordered (ADR 0138)."""

    @pytest.fixture
    def x(self, api):
        service = api.service("x")
        permissions.grant_client(
            client_ref="x", ca="function", profile="function", rights=["issue", "revoke"],
            names=["api.demo.example.com", "*.Units.Example.com", "192.0.2.1"], actor_ref="operator:o",
        )  # fmt: skip
        registered = {"countryName": ["SE"], "organizationName": ["Demoregionen"], "serialNumber": ["SE2321000016-F001"]}
        ServiceClient.objects.filter(client_ref="x").update(certificate_subject=registered)
        return service

    @pytest.mark.parametrize("changes", [{}, {"serialNumber": "SE2321000016-F001"}, {"commonName": "a.Units.example.com"}])
    def test_registered_attributes_are_ordered(self, x, changes) -> None:
        assert x.order(subject=SUBJECT | changes, subject_alternative=ALLOWED).status_code == 202

    def test_other_attributes_are_refused_by_name(self, x, subtests: pytest.Subtests) -> None:
        """One client sends all orders, since none of them may leave anything."""
        for number, (changes, wrong) in enumerate(OTHER_ATTRIBUTES):
            with subtests.test(number=number):
                answer = x.order(subject=SUBJECT | changes, subject_alternative=ALLOWED)
                assert (answer.status_code, code(answer)) == (403, wrong)
                assert names(answer) == [f"subject.{name}" for name in changes]
                assert not Certificate.objects.filter(client_ref="x").exists()

    def test_a_client_without_a_registered_subject_orders_nothing(self, x) -> None:
        ServiceClient.objects.filter(client_ref="x").update(certificate_subject={})
        answer = x.order(subject_alternative=ALLOWED)
        assert (answer.status_code, names(answer)) == (403, ["subject.countryName", "subject.organizationName"])

    @pytest.mark.parametrize(
        "alternative",
        [
            {"dNSName": ["api.demo.example.com"]},
            {"dNSName": ["API.demo.example.com", "a.units.example.com", "a.b.units.example.com"]},
            {"iPAddress": ["192.0.2.1"]},
        ],
    )
    def test_granted_names_are_ordered(self, x, alternative) -> None:
        assert x.order(subject_alternative=alternative).status_code == 202

    def test_other_names_are_refused_by_name(self, x, subtests: pytest.Subtests) -> None:
        """One client sends all orders, since none of them may leave anything."""
        for number, (alternative, common_name) in enumerate(OTHER_NAMES):
            with subtests.test(number=number):
                subject = order()["subject"] | {"commonName": common_name}
                answer = x.order(subject=subject, subject_alternative=alternative)
                assert (answer.status_code, code(answer)) == (403, "client-may-not-use-name")
                assert not Certificate.objects.filter(client_ref="x").exists()

    def test_certificates_of_others_are_not_revoked(self, x, rows) -> None:
        assert x.revoke(rows["function", "y"]).status_code == 404
        assert x.revoke(rows["function", "x"]).status_code == 200

    def test_a_withdrawn_name_counts_from_the_next_order(self, x) -> None:
        left = permissions.withdraw_client(
            client_ref="x", ca="function", profile="function", names=["192.0.2.1"], actor_ref="operator:o"
        )
        assert (left.rights, left.names) == (("issue", "revoke"), ("*.units.example.com", "api.demo.example.com"))
        assert code(x.order(subject_alternative={"iPAddress": ["192.0.2.1"]})) == "client-may-not-use-name"
        assert Event.objects.filter(subject_ref="x").latest("id").facts["names"] == ["192.0.2.1"]


MEANINGLESS = [
    ({"rights": ["issue"]}, "client-without-names"),
    ({"ca": "person-id-3", "profile": PERSON, "rights": ["revoke"], "names": ["a.example"]}, "client-without-names"),
    ({"names": [""]}, "client-name"),
    ({"names": ["a.*.example"]}, "client-name"),
    ({"names": ["*."]}, "client-name"),
    ({"client_ref": "Å"}, "client-ref"),
    ({"client_ref": "x" * 64}, "client-ref"),
    ({"ca": "nothing"}, "profile-not-offered"),
    ({"profile": "nothing"}, "profile-not-offered"),
    ({"profile": PERSON}, "profile-not-offered"),
    ({"ca": "person-id-3", "profile": PERSON, "rights": ["issue"]}, "profile-of-persons"),
    ({"ca": "person-hsaid-3", "profile": "person-hsaid-sign", "rights": ["read", "issue"]}, "profile-of-persons"),
    ({"ca": "person-id-mobile", "profile": "mobile-auth", "rights": ["issue"]}, "profile-of-persons"),
    ({"rights": []}, "client-right"),
    ({"rights": ["admin"]}, "client-right"),
]


def test_rights_that_mean_nothing_are_not_granted(api, subtests: pytest.Subtests) -> None:
    """One hierarchy for all, since none of them may be recorded."""
    lawful = {"client_ref": "x", "ca": "function", "profile": "function", "rights": ["read"], "actor_ref": "operator:o"}
    for number, (changes, wrong) in enumerate(MEANINGLESS):
        with subtests.test(number=number):
            with pytest.raises(Invalid) as refused:
                permissions.grant_client(**lawful | changes)
            assert refused.value.code == wrong
            assert not ClientPermission.objects.exists()


def test_no_client_makes_a_persons_eid_also_where_a_row_says_that_it_may(api) -> None:
    x = api.service("x", person_id_auth="read")
    ClientPermission.objects.filter(client_ref="x").update(may_issue=True)
    answer = x("POST", "certificates", key="k", body=wanted(PERSON))
    assert (answer.status_code, code(answer)) == (403, "client-may-not-issue")
    assert not Certificate.objects.filter(client_ref="x").exists()


def test_the_command_grants_withdraws_and_lists(api) -> None:
    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("pki_client", *arguments, stdout=out)
        return out.getvalue()

    place = ("--client", "x", "--ca", "function", "--profile", "function")
    named = ("--name", "a.example.org", "--name", "*.b.example.org")
    granted = "x function function: issue, read för *.b.example.org, a.example.org\n"
    assert run("grant", *place, "--right", "issue", "--right", "read", *named) == granted
    assert run("list") == run("list", "--client", "x") == granted
    assert run("withdraw", *place, *named[:2]) == "x function function: issue, read för *.b.example.org\n"
    assert run("withdraw", *place, "--right", "issue") == "x function function: read för *.b.example.org\n"
    assert run("withdraw", *place) == "x function function: inga rättigheter för *.b.example.org\n"
    assert run("list") == ""
    assert Event.objects.filter(subject_type="client", actor_ref__startswith="operator:").count() == 4
    with pytest.raises(CommandError, match="inga rättigheter") as refused:
        run("withdraw", *place)
    assert refused.value.returncode == 1
    with pytest.raises(CommandError, match="profilen"):
        run("grant", *place[:-1], "nothing", "--right", "read")
