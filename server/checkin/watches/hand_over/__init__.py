"""A convoy's hand-over from one radio room to the next: offered, heard, and only then theirs."""
