"""People: operations, areas, agencies, persons and their families, tree, devices, import."""
