"""The PKI API, a package for each version."""
