"""What the resource handlers of every service are built on: base classes, values, the store."""
