"""Pose of a moving platform from GNSS and IMU."""
