"""Checks a PDF/A-3a file of our renderer. No PDF/A validator is available as a package, so this reads the file itself."""

import re
import struct
import zlib
from io import BytesIO
from typing import Any

from lxml import etree

_PDFAID = "{http://www.aiim.org/pdfa/ns/id/}"
_CLAIM = {"part": "3", "conformance": "A"}
# An operator that selects a font or shows glyphs. The renderer writes each glyph id as four hexadecimal digits.
_SHOWN = re.compile(rb"/(\w+)\s+[-\d.]+\s+Tf|\[([^\[\]]*)\]\s*TJ|(<[0-9A-Fa-f]*>)\s*Tj")
_HEX = re.compile(rb"<([0-9A-Fa-f]*)>")


_ATTACHMENT = re.compile(rb"/Type /EmbeddedFile\b[^\n]*/Filter /FlateDecode/Length \d+>>\nstream\n")


def has_attached(content: bytes, attached: bytes) -> bool:
    """Returns whether a file that `judge` once passed has exactly `attached` attached, in a small part of the time.

    It knows the form in which our renderer writes an attachment, so use it for files whose hash is known.
    """
    found = list(_ATTACHMENT.finditer(content))
    if len(found) != 1:
        return False
    try:
        return zlib.decompressobj().decompress(content[found[0].end() :], len(attached) + 1) == attached
    except zlib.error:
        return False


def judge(content: bytes, attached: bytes) -> str | None:
    """Returns what is wrong with a PDF file, or None if it is complete, tagged, has exactly `attached` attached and is PDF/A-3a.

    PDF/A-3a means: the XMP states it, the output intent has a profile, and every font is embedded with every shown glyph.
    """
    # Here, since the import takes a third of a second, which other processes and commands should not pay.
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader

    if not content.rstrip().endswith(b"%%EOF"):
        return "not whole"
    try:
        root = PdfFileReader(BytesIO(content)).root
        if not root["/MarkInfo"]["/Marked"] or "/StructTreeRoot" not in root:
            return "not tagged"
        if int(root["/Pages"]["/Count"]) < 1:
            return "no pages"
        if root["/AF"][0]["/EF"]["/F"].data != attached:
            return "another attachment"
        return _claim(root) or _glyphs(root["/Pages"], {})
    except (PdfError, KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error, etree.XMLSyntaxError) as error:
        return f"unreadable: {type(error).__name__}"


def _claim(root: Any) -> str | None:
    intent = root["/OutputIntents"][0]
    if intent["/S"] != "/GTS_PDFA1" or not intent["/DestOutputProfile"].data:
        return "no output intent"
    xmp = etree.fromstring(root["/Metadata"].data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    stated: dict[str, str] = {}
    for element in xmp.iter(etree.Element):
        for name in _CLAIM:
            stated |= {name: value} if (value := element.get(f"{_PDFAID}{name}")) else {}
            stated |= {name: element.text or ""} if element.tag == f"{_PDFAID}{name}" else {}
    return None if stated == _CLAIM else "no claim of PDF/A-3a"


def _glyphs(node: Any, counts: dict[Any, int]) -> str | None:
    """Returns the first fault in the page tree, or None. `counts` caches the number of glyphs of each font by its reference."""
    if "/Kids" in node:
        return next((fault for kid in _items(node["/Kids"]) if (fault := _glyphs(kid, counts))), None)
    resources = node["/Resources"]
    if "/Font" not in resources:
        return None  # the page has no text
    fonts, limits = resources["/Font"], {}
    for name in fonts:
        font = fonts[name]
        if font["/Encoding"] != "/Identity-H":
            return "a glyph is missing"
        limits[name[1:].encode()] = _glyph_count(font["/DescendantFonts"][0]["/FontDescriptor"], counts)
    limit = 0
    for match in _SHOWN.finditer(_stream(node["/Contents"])):
        if match[1]:
            limit = limits[match[1]]
            continue
        for digits in _HEX.findall(match[2] or match[3] or b""):
            if any(not 0 < int(digits[at : at + 4], 16) < limit for at in range(0, len(digits), 4)):
                return "a glyph is missing"
    return None


def _items(array: Any) -> list[Any]:
    """Returns the array's items as objects; iteration would give references."""
    return [array[index] for index in range(len(array))]


def _stream(contents: Any) -> bytes:
    parts = _items(contents) if isinstance(contents, list) else [contents]
    return b"\n".join(part.data for part in parts)


def _glyph_count(descriptor: Any, counts: dict[Any, int]) -> int:
    """Returns `numGlyphs` of the embedded program's `maxp` table (OpenType 1.9). Raises KeyError if none is embedded."""
    key = "/FontFile2" if "/FontFile2" in descriptor else "/FontFile3"
    reference = str(descriptor.raw_get(key))
    if reference not in counts:
        program = descriptor[key].data
        (tables,) = struct.unpack_from(">H", program, 4)
        directory = {program[at : at + 4]: at for at in range(12, 12 + 16 * tables, 16)}
        (offset,) = struct.unpack_from(">I", program, directory[b"maxp"] + 8)
        (counts[reference],) = struct.unpack_from(">H", program, offset + 4)
    return counts[reference]
