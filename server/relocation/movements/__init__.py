"""Movements themselves: made, frozen, activated, ended, reported on."""
