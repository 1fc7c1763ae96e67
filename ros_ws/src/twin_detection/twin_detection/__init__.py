"""Finds objects in LiDAR scans of still and moving platforms."""
