"""The checks of the lessons' exercises: a file a subject, whose first line says of which lesson.

A check prints one line, ✓ or ✗ with a hint, and never raises. It takes plain values and result objects, and starts no
simulator. A lesson imports each from its file, ``from cartpole_lab.teaching.exercises.scene import check_hanging``.
"""
