"""Operations for migrations."""

from typing import Any

from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.operations import RunPython


class RunStatements(RunPython):
    """A `RunPython` for functions that execute SQL and use no models: `apps` is None.

    Django would build the classes of all models for each operation, which took a third of the time of `migrate`.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Calls the function."""
        self.code(None, schema_editor)  # type: ignore[arg-type]

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Calls the function that undoes it. Raises IrreversibleError if there is none."""
        if self.reverse_code is None:
            raise IrreversibleError(f"{self} has no way back")
        self.reverse_code(None, schema_editor)  # type: ignore[arg-type]
