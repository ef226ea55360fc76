"""What leaves the warehouse: the risk table, its checks, and the map of a day."""
