"""The demo's national-scale data: organisations, people and cards, loaded by COPY (ADR 0195)."""
