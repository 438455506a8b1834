"""Who is in an area of risk and was not heard of: an alarm by itself, once each."""
