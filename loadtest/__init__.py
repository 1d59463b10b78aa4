"""Load on any Showdown server, and a look at what it does with it: scripts/loadtest."""
