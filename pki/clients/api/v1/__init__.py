"""Version 1 of the PKI API. `openapi.yaml` describes it; start in `views`."""
