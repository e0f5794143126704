"""What things are: the topology, what a node should be, what was observed, what can be done."""
