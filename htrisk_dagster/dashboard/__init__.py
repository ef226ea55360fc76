"""What analysts open in a browser: pages over published snapshots, and over nothing else."""
