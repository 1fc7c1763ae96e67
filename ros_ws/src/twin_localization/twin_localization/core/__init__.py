"""Algorithms; NumPy and SciPy only, no ROS."""
