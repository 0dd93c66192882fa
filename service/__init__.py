"""The service that runs on Lambda: accounts and their health scores over HTTP."""
