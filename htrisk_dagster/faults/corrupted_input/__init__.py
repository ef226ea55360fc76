"""Good files of every layout, what is made of them on purpose, and what came of each; no orchestrator."""
