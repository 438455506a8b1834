"""Watches: timers that run here while the phone is dark, and what they set off."""
