"""What only the lessons need: display, widgets, and the checks of the exercises.

Widgets and exercises take plain arrays and result objects; they start no simulator of their own.
"""
