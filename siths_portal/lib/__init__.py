"""Shared code for all applications, with one package for each subject. Imports no application."""
