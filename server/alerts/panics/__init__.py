"""Panics: help is called, heard, owned by somebody, and brought to an end."""
