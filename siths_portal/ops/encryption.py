"""Encrypts and decrypts the streams of a backup with age, in two layers: one for each group of custodians (ADR 0062).

Neither group can open a backup without the other. The format is age's own, so `age --decrypt` twice does the same.
"""

import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyrage
from pyrage import x25519

type Recipients = Sequence[x25519.Recipient]
type Identities = Sequence[x25519.Identity]
FAILURES = (pyrage.EncryptError, pyrage.DecryptError, OSError)


class WrongKeys(ValueError):
    """A file of recipients or identities that cannot be used; the text says why, in Swedish."""


def recipients(files: Sequence[Path]) -> list[Recipients]:
    """Reads the recipients of the two groups, one `age1…` a line; lines that begin with # are comments. Raises WrongKeys."""
    if len(files) != 2:
        raise WrongKeys("BACKUP_RECIPIENT_FILES ska namnge två filer, en för varje grupp av nyckelhållare")
    lines = [_lines(file) for file in files]
    if set(lines[0]) & set(lines[1]):
        raise WrongKeys("samma mottagare finns i båda filerna, så en ensam nyckelhållare skulle kunna öppna kopian")
    return [_parsed(file, texts, x25519.Recipient.from_str) for file, texts in zip(files, lines, strict=True)]


def identities(files: Sequence[Path]) -> Identities:
    """Reads the custodians' secret keys, `AGE-SECRET-KEY-…` a line. Raises WrongKeys."""
    return [identity for file in files for identity in _parsed(file, _lines(file), x25519.Identity.from_str)]


def _lines(file: Path) -> list[str]:
    try:
        stripped = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, ValueError):
        raise WrongKeys(f"{file} går inte att läsa") from None
    return [line for line in stripped if line and not line.startswith("#")]


def _parsed[Key](file: Path, texts: Sequence[str], parse: Callable[[str], Key]) -> list[Key]:
    if not texts:
        raise WrongKeys(f"{file} har ingen nyckel")
    try:
        return [parse(text) for text in texts]
    except (pyrage.RecipientError, pyrage.IdentityError):
        raise WrongKeys(f"{file} har en rad som inte är en nyckel för age") from None  # without the line: it may be a secret


def encrypt(source: BinaryIO, target: BinaryIO, groups: Sequence[Recipients]) -> None:
    """Encrypts `source` for the first group, the result for the second, and writes it to `target`. Raises FAILURES."""
    inner, outer = groups
    with fed(lambda pipe: pyrage.encrypt_io(source, pipe, inner)) as pipe:
        pyrage.encrypt_io(pipe, target, outer)


@contextmanager
def decrypted(source: BinaryIO, keys: Identities) -> Iterator[BinaryIO]:
    """Yields the plain stream of `source`. Raises FAILURES if the keys do not open it or it was changed.

    The end of the block proves that the stream was whole: a caller must not use what it read before that.
    """
    with (
        fed(lambda pipe: pyrage.decrypt_io(source, pipe, keys)) as middle,
        fed(lambda pipe: pyrage.decrypt_io(middle, pipe, keys)) as plain,
    ):
        yield plain
        while plain.read(1 << 20):
            pass  # age authenticates each chunk, and the last one shows that nothing was cut off


@contextmanager
def fed(produce: Callable[[BinaryIO], None]) -> Iterator[BinaryIO]:
    """Yields the end of a pipe that `produce` fills in a thread. Raises what `produce` raised, at the end of the block."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(writing, "wb") as pipe:
                produce(pipe)
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that waits)
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    with os.fdopen(reading, "rb") as pipe:
        thread.start()
        try:
            yield pipe
        except Exception:
            pipe.close()  # ends a producer that still writes
            thread.join()
            if failed and not isinstance(failed[0], BrokenPipeError):
                raise failed[0] from None
            raise
    thread.join()
    if failed:
        raise failed[0]


@contextmanager
def encrypting(target: BinaryIO, groups: Sequence[Recipients]) -> Iterator[BinaryIO]:
    """Yields a stream; what is written to it goes to `target` as `encrypt` does. Raises what encryption raised, at the end.

    An error in the block leaves `target` cut off: `decrypted` refuses it, and so does `age`.
    """
    reading, writing = os.pipe()
    source = _Source(os.fdopen(reading, "rb"))
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with source.pipe:
                encrypt(cast(BinaryIO, source), target, groups)
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that waits)
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        with os.fdopen(writing, "wb") as pipe:
            try:
                yield pipe
            except BaseException:
                source.is_whole = False
                raise
    finally:
        thread.join()
        if failed and not source.was_cut_off:
            raise failed[0]


class _Source(io.RawIOBase):
    """The end of a pipe that encryption reads. If its writer failed, its end is an error: age writes no last chunk then."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.pipe = pipe
        self.is_whole = True
        self.was_cut_off = False

    def read(self, size: int = -1, /) -> bytes:
        content = self.pipe.read(size)
        if not content and not self.is_whole:
            self.was_cut_off = True
            raise OSError("the writer failed")
        return content
