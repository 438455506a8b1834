"""Muster: incident alerting, check-in and headcount. See ARCHITECTURE.md."""
