"""Bags: recording, playing, import, lockstep replay, comparison and scores."""
