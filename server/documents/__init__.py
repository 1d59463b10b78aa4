"""The documents of the protocol: OpenAPI and AsyncAPI, made from what the server runs on."""
