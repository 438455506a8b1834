"""Incidents: what several alerts have in common, and its people counted once each."""
