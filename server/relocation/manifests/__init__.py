"""Manifests: seats given, sealed at departure, amended after it; papers; files."""
