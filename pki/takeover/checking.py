"""Checking certificates of a source in several processes, in the source's order and with a bounded number under way."""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from itertools import batched

from pki.domain import imported_certificates
from pki.domain.imported_certificates import CheckedContent, Checker, ExpectedIssuer
from pki.takeover.records import SourceCertificate

PIECE = 1000
"""Certificates that a process takes at once."""

Checked = tuple[SourceCertificate, CheckedContent | str | None]
"""A record with what its certificate says, the kind of its fault, or None for a record without one."""


def checked(records: Iterator[SourceCertificate], expected: ExpectedIssuer, workers: int) -> Iterator[list[Checked]]:
    """The records in pieces, checked, in order. With one worker this process does it itself."""
    pieces = batched(records, PIECE, strict=False)
    if workers <= 1:
        checker = Checker(expected)
        for piece in pieces:
            yield _joined(piece, imported_certificates.check_all(checker, _contents(piece)))
        return
    with ExitStack() as stack:
        # Started anew, not forked: this process holds sessions of the database and perhaps of a token.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, imported_certificates.prepare, (expected,))
        stack.callback(pool.shutdown, cancel_futures=True)
        under_way: deque[tuple[tuple[SourceCertificate, ...], Future[list[CheckedContent | str]]]] = deque()
        for piece in pieces:
            under_way.append((piece, pool.submit(imported_certificates.check_here, _contents(piece))))
            if len(under_way) > 2 * workers:
                first, future = under_way.popleft()
                yield _joined(first, future.result())
        while under_way:
            first, future = under_way.popleft()
            yield _joined(first, future.result())


def _contents(piece: tuple[SourceCertificate, ...]) -> list[bytes]:
    return [each.der for each in piece if each.der is not None]


def _joined(piece: tuple[SourceCertificate, ...], seen: list[CheckedContent | str]) -> list[Checked]:
    given = iter(seen)
    return [(each, None if each.der is None else next(given)) for each in piece]


def gathered(pieces: Iterator[list[Checked]], size: int) -> Iterator[list[Checked]]:
    """Pieces put together to batches of a transaction."""
    batch: list[Checked] = []
    for piece in pieces:
        batch += piece
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
