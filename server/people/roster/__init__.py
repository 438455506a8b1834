"""Roster import: files -> tables -> checked rows -> settled rows -> one transaction.

`files` reads, `tables` and `cells` check what each row says by itself, `settle` what rows say of
each other and of what is on record, `store` writes. Only `files` and `store` touch the outside.
"""
