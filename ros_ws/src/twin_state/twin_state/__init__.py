"""The live twin and its history."""
