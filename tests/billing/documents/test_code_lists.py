"""The committed code lists are those of the official rules that are installed."""

from billing.documents.peppol import codes
from siths_portal.dev import code_lists


def test_the_committed_lists_are_those_of_the_installed_rules():
    assert code_lists.TARGET.read_text() == code_lists.generate(code_lists.stylesheet().read_text())


def test_endpoint_types_follow_the_official_list():
    assert {"0154", "0158", "0194", "0203", "0205", "0217", "0225", "0240"} <= codes.ENDPOINT_SCHEME
    assert not {"9901", "9906", "9907"} & codes.ENDPOINT_SCHEME
