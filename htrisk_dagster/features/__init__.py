"""What was known by the cutoff: features of every cell and day, from rows with two dates."""
