"""Satellite messengers: their messages taken, understood, handed on as panics and check-ins."""
