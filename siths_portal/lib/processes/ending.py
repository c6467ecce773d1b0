"""Graceful shutdown of a process that works in rounds."""

import os
import select
import signal


class Ending:
    """Records SIGTERM and SIGINT from its construction on, instead of ending the process. The work calls `wait` and then ends.

    A signal handler runs between any two steps of the main thread, also while the thread holds a lock. A handler that sets an
    `Event` can therefore deadlock with the thread that waits for it. This handler writes a byte to a pipe and takes no lock.
    The interpreter also writes a byte when the signal arrives (wakeup fd). Without that byte, the process would notice a signal
    between the last step and `select` only after the wait.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: self.tell())

    def tell(self) -> None:
        """Makes `wait` return True. Safe in signal handlers and in any thread; further calls change nothing."""
        try:
            os.write(self._write, b".")
        except BlockingIOError:
            return  # the pipe is full of earlier bytes

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the signal to end, at most `seconds` (None: without limit). Returns whether the process should end."""
        readable, _, _ = select.select([self._read], [], [], seconds)
        return bool(readable)
