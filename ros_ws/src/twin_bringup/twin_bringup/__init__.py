"""The node graph as data, the runner and the command line."""
