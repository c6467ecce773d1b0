"""Checks a source's certificates in several processes: in the source's order, with a bounded number at a time."""

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
"""Certificates that a process checks at a time."""

Checked = tuple[SourceCertificate, CheckedContent | str | None]
"""A record with its certificate's content or the kind of its fault; None for a record without a certificate."""


def checked(records: Iterator[SourceCertificate], expected: ExpectedIssuer, workers: int) -> Iterator[list[Checked]]:
    """Checks the records and yields them in order, in pieces. With one worker this process checks them itself."""
    pieces = batched(records, PIECE, strict=False)
    if workers <= 1:
        checker = Checker(expected)
        for piece in pieces:
            yield _joined(piece, imported_certificates.check_all(checker, _contents(piece)))
        return
    with ExitStack() as stack:
        # Spawned, not forked: this process has database sessions and perhaps a token session.
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
    """Joins pieces into batches, one for each transaction."""
    batch: list[Checked] = []
    for piece in pieces:
        batch += piece
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
