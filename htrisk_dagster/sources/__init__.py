"""Rows from outside in the shape of `schemas.raw`: files, the live API, the invented city."""
