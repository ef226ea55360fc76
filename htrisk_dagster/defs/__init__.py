"""Orchestration: assets, checks, partitions, resources, jobs, schedules. Knows Dagster and MLflow."""
