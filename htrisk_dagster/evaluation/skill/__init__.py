"""The skill suite: what the forecasts are worth, on known worlds and on real files, in one table."""
