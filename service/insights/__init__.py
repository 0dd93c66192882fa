"""Insights into one account or all of them: from what the database knows, in words of a model or by rule. No HTTP, no SQL.

Every number comes from the database. A model is shown the numbers and may cite them by name only; they are filled in here.
"""
