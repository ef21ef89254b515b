"""Everything that is there only for speed. The numbers are those of the plain path.

:mod:`.shortcut_table` says what each shortcut saves, and of which packages it knows the insides. :mod:`.switch` turns
them on and off. The rest of the package asks for them in :mod:`cartpole_lab.shortcuts` only, so this folder can
be deleted. What decides a number, or is needed without a shortcut, does not belong here.
"""
