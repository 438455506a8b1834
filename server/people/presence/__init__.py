"""Where people are expected: leave, travel, visits. Imported, or said by operators and wardens."""
