"""Changes of a population after its freezing: additions, and two records found to be one."""
