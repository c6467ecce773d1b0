"""A row of a file that cannot be imported: the import reports it with its place, and goes on with the next row."""


class RowFault(ValueError):
    """A row that cannot be read or imported.

    `kind` is the stable name of the reason, a key of the import's own texts. `field` names the column at fault, and `detail` adds
    what the report may show of it; neither holds personal data.
    """

    def __init__(self, kind: str, detail: str = "", *, field: str = "") -> None:
        super().__init__(kind)
        self.kind, self.detail, self.field = kind, detail, field
