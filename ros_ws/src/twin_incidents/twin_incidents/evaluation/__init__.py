"""How true alerts are: the chain over simulated scenes, judged by the true actors."""
