"""Algorithms of the simulator: NumPy and SciPy and the engines, no ROS."""
