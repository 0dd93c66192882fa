"""`stack up`: evaluates the program in process, plans, and applies the changes."""
