"""A ceremony of the demo, whose approvers anybody can be, comes near no real CA."""

from dataclasses import replace

import pytest

from pki.ceremonies import plan as ceremony_plan
from pki.domain.ceremony_file import parse
from pki.domain.names import file_stem
from pki.models import CaState, CertificateAuthority
from siths_portal.lib.errors import Conflict
from tests.pki_fixtures import demo_file


def known(slug: str, common_name: str) -> dict[tuple[str, int], CertificateAuthority]:
    """One CA, which has its certificate and is in use."""
    row = CertificateAuthority(slug=slug, generation=1, common_name=common_name, file_stem=file_stem(common_name))
    row.state, row.certificate_der = CaState.OFFLINE if slug == "root" else CaState.ACTIVE, b"0"
    return {(slug, 1): row}


def later(slug: str):
    """The demo's file with the next generation of one CA alone."""
    file = parse(demo_file())
    plan = next(each for each in file.authorities if each.slug == slug)
    return replace(file, authorities=(replace(plan, generation=2, common_name=f"{plan.common_name} 2"),))


@pytest.mark.parametrize(
    ("slug", "there", "named"),
    [
        ("function", "root", "SITHS e-id Root CA v2"),
        ("function", "function", "SITHS e-id Function CA v1"),
        ("root", "root", "SITHS e-id Root CA v2"),
    ],
    ids=["under a real root", "beside a real CA", "beside a real root"],
)
def test_it_makes_no_ca_under_or_beside_a_real_one(slug, there, named):
    with pytest.raises(Conflict, match="ca-name-not-demo") as refused:
        ceremony_plan.refuse_conflicts(later(slug), known(there, named))
    assert named in refused.value.message


def test_the_demos_own_cas_may_have_another_generation():
    ceremony_plan.refuse_conflicts(later("root"), known("root", "DEMO SITHS e-id Root CA v1"))
