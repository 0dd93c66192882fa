"""Lambda's data plane on one machine: published versions of functions, invoked in execution environments."""
