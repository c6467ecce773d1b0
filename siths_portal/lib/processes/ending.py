"""The end of a process that was told to end, seen between two rounds of its work."""

import os
import select
import signal


class Ending:
    """From its making on, SIGTERM and SIGINT are remembered instead of ending the process; the work asks and ends in order.

    A signal's handler runs between any two steps of the main thread, also inside a lock that the thread holds: the handler of an
    `Event` that is being waited for can lock itself out for good. This one writes a byte into a pipe and takes no lock. The
    interpreter writes one, too, at the signal itself: one that comes between the last step and the waiting would else be seen by
    nobody until the waiting is over.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: self.tell())

    def tell(self) -> None:
        """Ends the waiting. Safe in a handler of signals and in any thread; a second time changes nothing."""
        try:
            os.write(self._write, b".")
        except BlockingIOError:
            return  # the pipe is full of earlier ones

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until the process is told to end, `seconds` at most (None: for as long as it takes). True if it was told."""
        readable, _, _ = select.select([self._read], [], [], seconds)
        return bool(readable)
