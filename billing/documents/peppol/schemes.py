"""PEPPOL-COMMON-R040 to R057: the form of identifiers by scheme. Peppol's warnings block the invoice too."""

from collections.abc import Callable

from billing.documents.peppol.document import Node, rule
from billing.documents.ubl import ORGANISATION_NUMBER_SCHEME
from billing.records.domain import identifiers, schemes

ENDPOINT = "//cbc:EndpointID"
ANY = "//cbc:EndpointID|//cac:PartyIdentification/cbc:ID|//cbc:CompanyID"

# Rule, scheme, XPath of the identifiers, Swedish name, check.
_CHECKS: tuple[tuple[str, str, str, str, Callable[[str], bool]], ...] = (
    ("R040", "0088", ANY, "GLN", identifiers.gln_valid),
    ("R041", "0192", ANY, "norskt organisationsnummer", schemes.norwegian),
    ("R042", "0184", ANY, "danskt CVR-nummer", schemes.danish),
    ("R043", "0208", ANY, "belgiskt företagsnummer", schemes.belgian),
    ("R044", "0201", ANY, "italienskt IPA-nummer", schemes.italian_office),
    ("R045", "0210", ANY, "italienskt skattenummer", schemes.italian_tax_code),
    ("R046", "9907", ENDPOINT, "italienskt skattenummer", schemes.italian_tax_code),
    ("R047", "0211", ANY, "italienskt momsnummer", schemes.italian_vat),
    ("R048", "9906", ENDPOINT, "italienskt momsnummer", schemes.italian_vat),
    ("R049", ORGANISATION_NUMBER_SCHEME, ANY, "svenskt organisationsnummer", identifiers.organisation_number_valid),
    ("R050", "0151", ANY, "australiskt ABN", schemes.australian),
    ("R052", "0096", ANY, "danskt P-nummer", schemes.danish_production_unit),
    ("R053", "0198", ANY, "danskt SE-nummer", schemes.danish_se),
    ("R054", "0106", ANY, "nederländskt KVK-nummer", schemes.dutch_chamber),
    ("R055", "0190", ANY, "nederländskt OIN", schemes.dutch_government),
    ("R056-1", "9944", ANY, "nederländskt momsnummer", schemes.dutch_vat),
    ("R057", "0217", ANY, "nederländskt arbetsställenummer", schemes.dutch_establishment),
)


def _register(number: str, scheme: str, path: str, name: str, valid: Callable[[str], bool]) -> None:
    @rule(f"PEPPOL-COMMON-{number}", f"Ett {name} (typ {scheme}) har fel form eller kontrollsiffra.")
    def broken(document: Node) -> bool:
        return any(node.attribute("schemeID") == scheme and not valid(node.text) for node in document.all(path))


for _check in _CHECKS:
    _register(*_check)
