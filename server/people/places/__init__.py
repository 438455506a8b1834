"""Where people were, and how long it is kept."""
