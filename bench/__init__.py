"""How fast, compared with whom: scripts/bench. It stands above the server and its tests."""
