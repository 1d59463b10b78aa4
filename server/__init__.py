"""The process: wiring, sockets, boundary, limits, broadcast, HTTP, health."""
