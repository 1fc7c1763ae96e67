"""Time, geometry, CDR codec, topic registry, configuration and the node base of District Twin."""
