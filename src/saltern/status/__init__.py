"""What a cluster is, in data and in words, from what its nodes answered."""
