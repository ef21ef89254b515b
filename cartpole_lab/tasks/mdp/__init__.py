"""The terms that the task is made of: Isaac Lab's own, under one name, and a few of ours.

The names stand in ``__init__.pyi`` and each is imported when it is first used, as in Isaac Lab's own task packages:
importing them all would bring terrain generation and its mesh libraries along, a fifth of the start-up time.
"""

from isaaclab.utils.module import lazy_export

lazy_export()
