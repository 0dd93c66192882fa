"""The configuration of a stack: keys, rules, physical names and the function's environment."""
