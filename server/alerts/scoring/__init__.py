"""Scores: who was reached, who answered and how fast, by node and category; kept of exercises."""
