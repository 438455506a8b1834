"""Signed codes of people, and the checkers who scan them."""
