"""What a client may ask: one module per feature, the schema beside its handler."""
