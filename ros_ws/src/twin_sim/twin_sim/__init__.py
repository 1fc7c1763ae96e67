"""The simulated district: world, actors, accidents, sensors and ground truth."""
