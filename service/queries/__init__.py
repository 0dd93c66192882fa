"""SQL, and nothing of HTTP. Each function takes the database or an open transaction and gives plain values."""
