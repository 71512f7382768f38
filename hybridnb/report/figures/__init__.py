"""Figures, one function each. They draw what `report.tables` makes and return a matplotlib figure.

Where there is nothing to draw, because a benchmark lacks a task or a study the runs, the figure says so.
"""
