"""What is kept: the only floor that talks to Redis and MongoDB."""
