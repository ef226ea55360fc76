"""What the program does when things go wrong: faults made on purpose, and what came of each."""
