"""The communication tree: reading, editing, its versions, and its health before any crisis."""
