"""Shared code of the JSON APIs: views, fields, idempotency, problem details, OpenAPI descriptions."""
