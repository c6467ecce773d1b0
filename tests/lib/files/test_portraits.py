"""What becomes of a photograph (S34-S36): only the picture comes through, and nothing that is not wholly a JPEG."""

import contextlib
import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files import images
from siths_portal.lib.files.images import portrait


def jpeg(size: tuple[int, int] = (600, 800), mode: str = "RGB", **options: object) -> bytes:
    """A picture whose upper left quarter is red, the rest grey."""
    image = Image.new("RGB", size, (120, 120, 120))
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2, size[1] // 2), fill=(220, 20, 20))
    out = io.BytesIO()
    image.convert(mode).save(out, "JPEG", **options)
    return out.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "Kameratillverkaren"
    return tags.tobytes()


def refusal(content: bytes) -> str:
    with pytest.raises(Invalid) as error:
        portrait(content, field="photo")
    assert list(error.value.fields) == ["photo"]
    return error.value.code


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content), formats=("JPEG",))
    image.load()
    return image


def is_red(image: Image.Image, x: float, y: float) -> bool:
    red, green, _ = image.getpixel((int(x * image.width), int(y * image.height)))
    return red > 180 and green < 80


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((400, 533), (400, 533)),
        ((600, 800), (600, 800)),
        ((1200, 1600), (600, 800)),
        ((3000, 4000), (600, 800)),
        ((700, 1000), (560, 800)),
        ((800, 1000), (600, 750)),
        ((413, 533), (413, 533)),
    ],
)
def test_a_portrait_is_made_small_and_never_larger(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    made = portrait(jpeg(size), field="photo")
    assert (made.width, made.height) == wanted == opened(made.jpeg).size
    assert len(made.jpeg) <= 200_000
    assert is_red(opened(made.jpeg), 0.2, 0.2)
    assert not is_red(opened(made.jpeg), 0.8, 0.8)


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((399, 540), "photo-too-small"),
        ((402, 532), "photo-too-small"),
        ((690, 1000), "photo-not-portrait"),
        ((810, 1000), "photo-not-portrait"),
        ((800, 600), "photo-not-portrait"),
        ((800, 800), "photo-not-portrait"),
        ((3100, 4100), "photo-too-many-pixels"),
    ],
)
def test_size_and_shape_are_told(size: tuple[int, int], code: str) -> None:
    assert refusal(jpeg(size)) == code


def test_what_is_too_large_is_not_looked_at() -> None:
    assert refusal(b"\xff" * (5 * 1024 * 1024 + 1)) == "photo-too-large"


def told(content: bytes, size: int | None = None) -> str:
    """The reason in words."""
    with pytest.raises(Invalid) as error:
        portrait(content, field="photo", size=size)
    return error.value.message


def test_the_reason_names_the_exact_size() -> None:
    assert told(b"\xff" * 100, 50 * 1024 * 1024).startswith("Filen är 50 MB. Högst 5 MB tas emot.")
    assert told(b"\xff" * (5 * 1024 * 1024 + 1)).startswith("Filen är 5,1 MB.")
    assert told(jpeg((3100, 4100))).startswith("Fotot är 3100 × 4100 bildpunkter, 13 megapixlar. Högst 12 megapixlar tas emot.")


def test_a_picture_that_would_burst_the_memory_is_told_by_its_pixels() -> None:
    """Pillow itself refuses to open it; nothing of it is decoded."""
    frame = jpeg().find(b"\xff\xc0")
    huge = bytearray(jpeg())
    struct.pack_into(">HH", huge, frame + 5, 20_000, 15_000)
    assert told(bytes(huge)).startswith("Fotot är 15000 × 20000 bildpunkter, 300 megapixlar.")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{}, {"quality": 30}, {"progressive": True}])
def test_a_photo_without_colours_is_refused(mode: str, options: dict[str, object]) -> None:
    out = io.BytesIO()
    Image.effect_noise((600, 800), 60).convert(mode).save(out, "JPEG", **options)
    assert refusal(out.getvalue()) == "photo-greyscale"


@pytest.mark.parametrize("options", [{"progressive": True}, {"quality": 100, "subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_all_usual_kinds_of_jpeg_are_taken(mode: str, options: dict[str, object]) -> None:
    made = opened(portrait(jpeg(mode=mode, **options), field="photo").jpeg)
    assert made.mode == "RGB"
    assert is_red(made, 0.2, 0.2)


def test_noise_keeps_within_the_limit() -> None:
    out = io.BytesIO()
    bands = [Image.effect_noise((1200, 1600), 200) for _ in range(3)]
    Image.merge("RGB", bands).save(out, "JPEG", quality=95)
    made = portrait(out.getvalue(), field="photo")
    assert len(made.jpeg) <= 200_000


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0.2, 0.2)), (2, (0.8, 0.2)), (3, (0.8, 0.8)), (4, (0.2, 0.8)), (99, (0.2, 0.2))],
)
def test_a_camera_held_upright_or_upside_down(orientation: int, corner: tuple[float, float]) -> None:
    made = opened(portrait(jpeg(exif=exif(orientation)), field="photo").jpeg)
    assert made.size == (600, 800)
    assert is_red(made, *corner)


@pytest.mark.parametrize(("orientation", "corner"), [(5, (0.2, 0.2)), (6, (0.8, 0.2)), (7, (0.8, 0.8)), (8, (0.2, 0.8))])
def test_a_camera_held_on_its_side(orientation: int, corner: tuple[float, float]) -> None:
    made = opened(portrait(jpeg((1600, 1200), exif=exif(orientation)), field="photo").jpeg)
    assert made.size == (600, 800)
    assert is_red(made, *corner)
    assert refusal(jpeg((600, 800), exif=exif(orientation))) == "photo-not-portrait"


@pytest.mark.parametrize(
    "broken", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 40]
)
def test_broken_exif_is_as_none(broken: bytes) -> None:
    assert portrait(jpeg(exif=broken), field="photo").width == 600


def test_nothing_but_the_picture_comes_through() -> None:
    content = jpeg(exif=exif(1), icc_profile=b"ICCPROFIL" * 20, comment=b"KOMMENTAR <script>")
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>HEMLIGT</x:xmpmeta>"
    content = content[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + content[2:]
    for wanted in (b"Kameratillverkaren", b"ICCPROFIL", b"KOMMENTAR", b"HEMLIGT"):
        assert wanted in content
    made = portrait(content, field="photo").jpeg
    for unwanted in (b"Kameratillverkaren", b"ICCPROFIL", b"KOMMENTAR", b"HEMLIGT", b"Exif"):
        assert unwanted not in made
    assert set(opened(made).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert made == portrait(jpeg(), field="photo").jpeg


def test_a_polyglot_loses_its_tail() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.html", "<script>alert(1)</script>")
    for tail in (archive.getvalue(), b"<html><script>alert(1)</script>", b"%PDF-1.7", jpeg()):
        made = portrait(jpeg() + tail, field="photo").jpeg
        assert made == portrait(jpeg(), field="photo").jpeg
        assert not zipfile.is_zipfile(io.BytesIO(made))


def test_cut_at_any_byte_it_is_refused() -> None:
    for content in (jpeg((400, 533), quality=30), jpeg((400, 533), quality=30, progressive=True, exif=exif(6))):
        for length in [*range(700), *range(700, len(content), 97), len(content) - 1]:
            assert refusal(content[:length]) == "photo-not-jpeg", length


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "WEBP", "EPS"])
def test_other_formats_are_refused_whatever_they_are_called(kind: str) -> None:
    out = io.BytesIO()
    Image.new("RGB", (600, 800)).save(out, kind)
    assert refusal(out.getvalue()) == "photo-not-jpeg"
    assert refusal(b"\xff\xd8" + out.getvalue()) == "photo-not-jpeg"


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    """A header of many more pixels on a small file, a header of none, and scans without end."""
    content = jpeg()
    at = content.index(b"\xff\xc0") + 5
    assert refusal(content[:at] + struct.pack(">HH", 5000, 3750) + content[at + 4 :]) == "photo-too-many-pixels"
    assert refusal(content[:at] + struct.pack(">HH", 65500, 49125) + content[at + 4 :]) == "photo-too-many-pixels"
    slow = jpeg(progressive=True)  # a scan may be repeated, and is decoded each time
    start = slow.index(b"\xff\xda")
    end = slow.index(b"\xff\xc4", start)
    assert opened(slow[:end] + slow[start:end] * 64 + slow[end:])
    assert refusal(slow[:end] + slow[start:end] * 64 + slow[end:]) == "photo-not-jpeg"
    assert refusal(content[:at] + struct.pack(">HH", 0, 0) + content[at + 4 :]) in ("photo-not-jpeg", "photo-too-small")


def test_many_at_once_are_decoded_two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each decoding holds one of two places and gives it back, also where the picture is broken."""
    convert, free, content = Image.Image.convert, list[int](), jpeg()

    def places() -> int:
        taken = [images.decoding.acquire(blocking=False) for _ in range(3)].count(True)
        for _ in range(taken):
            images.decoding.release()
        return taken

    def watched(self: Image.Image, *args: object, **options: object) -> Image.Image:
        free.append(places())
        return convert(self, *args, **options)

    monkeypatch.setattr(Image.Image, "convert", watched)
    frame = content.index(b"\xff\xda")
    for broken in (content, content[:frame] + content[frame : frame + 20] + b"\xff\xd9"):
        with contextlib.suppress(Invalid):
            portrait(broken, field="photo")
    assert free
    assert set(free) == {1}
    assert places() == 2


_SEED = jpeg((400, 533), quality=20, exif=exif(6), comment=b"hej")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(_SEED)), st.integers(0, 300))
def test_whatever_comes_either_a_portrait_or_a_refusal_is_made(noise: bytes, position: int, removed: int) -> None:
    for candidate in (noise, b"\xff\xd8" + noise, _SEED[:position] + noise + _SEED[position + removed :]):
        with contextlib.suppress(Invalid):
            made = portrait(candidate, field="photo")
            assert opened(made.jpeg).size == (made.width, made.height)
