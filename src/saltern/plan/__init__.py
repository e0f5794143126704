"""From what should be and what is to what to do: pure functions, one file a layer."""
