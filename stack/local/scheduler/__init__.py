"""Local EventBridge Scheduler: schedules invoke functions at their times."""
