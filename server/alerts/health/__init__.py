"""Health of the ways out: signs of life, what waits and until when, alarms."""
