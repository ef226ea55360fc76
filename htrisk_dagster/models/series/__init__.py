"""Series of areas: counts by day, week or month, taken apart, forecast and put to use."""
