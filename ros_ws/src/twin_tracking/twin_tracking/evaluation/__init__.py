"""How good the tracker is: metrics, recorded and simulated evaluations."""
