"""From the pillar to a proven cluster: load, allocate, claim, validate, draw."""
