"""Who is asked next: the cascade down the tree, and the steps towards those who stay silent."""
