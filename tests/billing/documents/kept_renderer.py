"""Renderers as the product has them, but for the end: their children live on, warm, for the next run. `test_pdf` has none."""

from siths_portal.lib.pdf import rendering


class _Kept(rendering.PdfRenderer):
    """Goes back to those who keep it when a run closes it."""

    def __init__(self, children: "Children") -> None:
        super().__init__()
        self._children = children

    def close(self) -> None:
        """Keeps the child and the folder."""
        self._children.idle.append(self)

    def end(self) -> None:
        """Ends the child, as others do when they are closed."""
        super().close()


class Children:
    """Those that nobody uses now."""

    def __init__(self) -> None:
        self.idle: list[_Kept] = []

    def renderer(self) -> rendering.PdfRenderer:
        """One that was used before, or a new one."""
        return self.idle.pop() if self.idle else _Kept(self)

    def end(self) -> None:
        """Ends all."""
        for kept in self.idle:
            kept.end()
