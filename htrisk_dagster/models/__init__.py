"""Count models: fit on a block with counts, predict the expected count of every cell and day."""
