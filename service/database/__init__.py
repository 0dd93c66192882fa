"""The connection to PostgreSQL that all requests of an execution environment share."""
