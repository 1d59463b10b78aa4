"""Settings and logging: the floor that everything else may stand on."""
