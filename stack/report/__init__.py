"""`stack report`: what a change of the program means, found out without an account, as Markdown."""
