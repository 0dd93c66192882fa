"""CloudWatch Logs on this machine: log groups and streams as files."""
