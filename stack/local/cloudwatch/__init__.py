"""Local CloudWatch Logs: log groups and streams as files."""
