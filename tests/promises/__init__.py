"""What Muster promises, each with a test that bites when its mechanism is taken away."""
