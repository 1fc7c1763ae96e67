"""Incident rules and the life cycle of alerts."""
