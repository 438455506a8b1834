"""Rows of who is dark."""

from server.db import named_sql

SQL = named_sql(__file__)
