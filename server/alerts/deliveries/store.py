"""Rows of deliveries."""

from server.db import named_sql

SQL = named_sql(__file__)
PUSH_KINDS = ["fcm", "webpush"]
