"""Writes insights into one account or the portfolio, by a model or by rule. No HTTP, no SQL.

Every number comes from the database. A model gets the numbers with names, and cites them by
placeholders (`{health_score}`), which are filled in here.
"""
