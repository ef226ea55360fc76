"""One unit of work, here or on many machines: the same function, the same bytes."""
