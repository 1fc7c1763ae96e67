"""Brings detections to the map frame and merges what several sensors and platforms see."""
