"""The error for users of the commands and of the program."""


class UserError(Exception):
    """An error that the user can correct. Its message names what to change.

    Commands print the message without a traceback.
    """
