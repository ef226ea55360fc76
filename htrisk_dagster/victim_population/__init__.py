"""CTDC: who is harmed and how. Never joined with places, never in a table with them."""
