"""The service that runs on Lambda: accounts, their health score, and what makes it up, over HTTP."""
