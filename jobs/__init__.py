"""Work done later: queues, workers, schedules, and the tasks themselves."""
