"""Muster: incident alerting, check-in and headcount. See ARCHITECTURE.md."""

__version__ = "0.1.0"
