"""Check-ins: reports of status, group commit, the headcount board."""
