"""Multi-object tracking of the whole district."""
