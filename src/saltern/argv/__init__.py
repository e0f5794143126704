"""Commands as argument lists."""
