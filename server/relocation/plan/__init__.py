"""The plan of a movement: points, legs, vehicles, and the critical work that goes on."""
