"""The one place that picks adapter classes for ports, from dotted paths in the settings."""


def connect() -> None:
    """Connects each port to its adapter. Called once, when all applications are loaded."""
