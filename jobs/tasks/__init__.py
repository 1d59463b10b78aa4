"""The tasks: what the jobs of each queue do."""
