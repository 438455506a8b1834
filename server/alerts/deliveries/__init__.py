"""Deliveries: queued, handed over, acknowledged; each fact on record as what it is."""
