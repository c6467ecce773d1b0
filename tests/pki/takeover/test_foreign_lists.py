"""Lists of a CA whose key is elsewhere: published as they are by its import and by command, and watched (rules/pki 6.2,
ADR 0218)."""

import datetime as dt
import io

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from django.core.management import CommandError, call_command
from django.test import Client

from pki.crl import building
from pki.domain.findings import Severity
from pki.health import checks
from pki.models import CertificateAuthority, Crl, Event
from pki.takeover import foreign_crls
from siths_portal.lib import clock
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import OldCa, used_ca

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]
DAY = dt.timedelta(days=1)


@pytest.fixture
def old(tmp_path) -> OldCa:
    return used_ca(tmp_path / "old", 2, {1: "superseded"})


def imported(tmp_path, old: OldCa, *lists: bytes, name: str = "in") -> CertificateAuthority:
    folder = world.manifest(tmp_path / name, old, "jsonl", key=False)
    world.as_jsonl(folder, world.told(old))
    for number, content in enumerate(lists):
        world.add_crl(folder, content, f"{number}.crl")
    world.approve(folder)
    world.run(folder)
    return CertificateAuthority.objects.get(slug="function")


def made(old: OldCa, number: int | None, *more: x509.ExtensionType, start=None, days: int = 30, key=None) -> bytes:
    """A list of the old CA, begun yesterday unless said otherwise."""
    start = start or dt.datetime.now(dt.UTC).replace(microsecond=0) - DAY
    issuer = x509.load_der_x509_certificate(old.der()).subject
    builder = x509.CertificateRevocationListBuilder(issuer, start, start + days * DAY)
    for value in ([x509.CRLNumber(number)] if number is not None else []) + list(more):
        builder = builder.add_extension(value, critical=not isinstance(value, x509.CRLNumber))
    key = key or load_pem_private_key(old.key.read_bytes(), None)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def point(url: str | None = None, **changes) -> x509.IssuingDistributionPoint:
    names = [x509.UniformResourceIdentifier(url)] if url else None
    told = {"only_contains_user_certs": False, "only_contains_ca_certs": False, "only_contains_attribute_certs": False}
    values = told | {"relative_name": None, "only_some_reasons": None, "indirect_crl": False} | changes
    return x509.IssuingDistributionPoint(full_name=names, **values)


def altered(content: bytes) -> bytes:
    """The same list with another signature."""
    return content[:-1] + bytes([content[-1] ^ 1])


def publish(folder, content: bytes, *, name: str = "function") -> str:
    path = folder / "next.crl"
    path.write_bytes(content)
    out = io.StringIO()
    call_command("pki_publish_crls", "--ca", name, "--file", str(path), stdout=out)
    return out.getvalue()


def test_the_import_publishes_the_newest_list_as_it_is(old, tmp_path, settings):
    first, second = old.crl(), old.crl()
    ca = imported(tmp_path, old, second, first)
    assert ca.state == "external"
    assert building.crl_path(ca).read_bytes() == second
    row = Crl.objects.get()
    assert (row.ca, row.shard, row.number, row.entries) == (ca, None, 42, 1)
    event = Event.objects.get(action="crl.published")
    assert (event.facts["number"], event.facts["made"]) == (42, "elsewhere")
    settings.ROOT_URLCONF = "siths_portal.wiring.urls_status"
    settings.MIDDLEWARE = []
    assert Client().get(f"/{ca.file_stem}.crl").getvalue() == second
    assert Client().get(f"/{ca.file_stem}.cer").getvalue() == old.der()
    world.run(tmp_path / "in")  # again changes nothing
    assert Crl.objects.count() == 1


def test_the_command_publishes_later_lists_and_no_older_ones(old, tmp_path):
    ca = imported(tmp_path, old, old.crl())
    later = old.crl()
    assert publish(tmp_path, later) == "function: nummer 42, 1 poster\n"
    assert publish(tmp_path, later) == "function: nummer 42, 1 poster\n"
    assert building.crl_path(ca).read_bytes() == later
    for content in (made(old, 41, start=dt.datetime.now(dt.UTC)), made(old, 42), made(old, 43, start=clock.now() - 9 * DAY)):
        with pytest.raises(CommandError, match="nummer 42 är redan publicerad"):
            publish(tmp_path, content)
    assert building.crl_path(ca).read_bytes() == later
    assert Crl.objects.count() == 2
    building.crl_path(ca).unlink()
    publish(tmp_path, later)  # what is lost comes back
    assert building.crl_path(ca).read_bytes() == later


def test_a_list_for_ca_certificates_at_its_address_and_one_in_pem_are_published(old, tmp_path):
    ca = imported(tmp_path, old)
    assert not Crl.objects.exists()
    root = made(old, 5, point(f"http://crl1.old.test/{ca.file_stem}.crl", only_contains_ca_certs=True))
    publish(tmp_path, x509.load_der_x509_crl(root).public_bytes(Encoding.PEM))
    assert building.crl_path(ca).read_bytes() == root


def test_what_is_not_its_whole_list_is_refused(old, tmp_path):
    ca = imported(tmp_path, old)
    stranger = OldCa(tmp_path / "stranger")  # of the same name
    refused = {
        "inte utfärdarens": [made(stranger, 7), altered(made(old, 7))],
        "inte en spärrlista": [
            *(b"", b"-----BEGIN X509 CRL-----\n", made(old, None), old.der()),
            made(old, 7).replace(b"\x02\x01\x01", b"\x02\x01\x09", 1),  # a version that there is not
            made(old, 7, point(only_contains_user_certs=True)).replace(b"\x55\x1d\x1c", b"\x55\x1d\x14", 1),  # two numbers
        ],
        "från framtiden": [made(old, 7, start=clock.now().replace(microsecond=0) + DAY), made(old, 1 << 63)],
        "deltalista": [
            made(old, 7, x509.DeltaCRLIndicator(6)),
            made(old, 7, point("http://crl1.old.test/other.crl")),
            made(old, 7, point(only_contains_user_certs=True)),
            made(old, 7, point(indirect_crl=True)),
            made(old, 7, point(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise]))),
        ],
    }
    for text, contents in refused.items():
        for content in contents:
            with pytest.raises(CommandError, match=text):
                publish(tmp_path, content)
    with pytest.raises(CommandError, match="finns inte"):
        call_command("pki_publish_crls", "--ca", "function", "--file", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="--ca"):
        call_command("pki_publish_crls", "--file", str(tmp_path / "next.crl"))
    assert not Crl.objects.exists()
    assert not building.crl_path(ca).exists()


def test_a_ca_that_makes_its_lists_here_takes_none(old, tmp_path):
    old.move_key()
    folder = world.manifest(tmp_path / "in", old, "jsonl")
    world.as_jsonl(folder, world.told(old))
    world.approve(folder)
    world.run(folder)
    with pytest.raises(CommandError, match="gör sina spärrlistor här"):
        publish(tmp_path, old.crl())


def test_an_import_with_an_older_list_leaves_the_newer_one_out(old, tmp_path):
    first = old.crl()
    later = old.crl()
    ca = imported(tmp_path, old, later)
    imported(tmp_path, old, first, name="again")
    assert building.crl_path(ca).read_bytes() == later


def test_its_end_is_watched(old, tmp_path):
    ca = imported(tmp_path, old)
    assert list(foreign_crls.watched()) == []
    start = dt.datetime.now(dt.UTC).replace(microsecond=0)
    publish(tmp_path, made(old, 7, start=start - DAY, days=41))
    for day, severity in (
        (0, Severity.OK),
        (29, Severity.OK),
        (31, Severity.WARNING),
        (39, Severity.WARNING),
        (41, Severity.ERROR),
    ):
        with clock.moved_to(start + day * DAY):
            (found,) = [each for each in checks.check_all() if each.subject == "crl function:1"]
        assert found.severity == severity, day
    with clock.moved_to(ca.not_after + DAY):
        assert list(foreign_crls.watched()) == []
