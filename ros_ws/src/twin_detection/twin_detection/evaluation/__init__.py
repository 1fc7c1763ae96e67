"""Scores detectors on simulated scenes with known truth."""
