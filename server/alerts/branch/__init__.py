"""A warden's call-down list: her people, the silent first, and what is known of each."""
