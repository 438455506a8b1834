"""Contradictions between reports: queued for a human, decided by one, never lost."""
