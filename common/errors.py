"""The one error whose text is meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can put right: the message names what to change. Commands print it without a trace."""
