"""Relocation: who left, who boarded, who arrived, live."""
