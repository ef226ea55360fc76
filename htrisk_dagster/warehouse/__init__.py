"""Where tables live: Parquet partitions, the catalog over them, fitted models."""
