"""The report on what a change of the program does, compared with a commit."""
