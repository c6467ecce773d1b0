"""PDF/A files and their signatures (PAdES)."""
