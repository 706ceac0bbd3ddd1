"""Helpers for all stages: files, names, secrets, text, the system, extras."""
