"""Tasks that were woken, run in this process."""

from billing import tasks


class Woken(list):
    """Names and arguments of woken tasks."""

    def work(self) -> None:
        """Runs what was woken, and what that wakes."""
        while self:
            name, ids = self.pop(0)
            getattr(tasks, name.removeprefix("billing."))(**ids)

    def sweep(self) -> None:
        """Runs the sweepers as beat does, and what they wake."""
        tasks.open_month()
        tasks.continue_runs()
        self.work()
