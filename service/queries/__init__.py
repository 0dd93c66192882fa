"""The SQL of the service. Each function takes the database or an open transaction, and returns
plain values; nothing here knows HTTP."""
