"""The demo at the size of the country: places, people and cards by COPY (ADR 0195)."""
