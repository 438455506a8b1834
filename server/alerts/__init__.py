"""Alerts: whom they address, their opening and end, and their way to every phone."""
