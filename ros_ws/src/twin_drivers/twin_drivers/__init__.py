"""LiDAR, camera and GNSS/IMU drivers: live, packet capture and recording."""
