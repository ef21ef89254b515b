"""What the widgets show where nothing can be trained: runs of Isaac Lab, recorded by :mod:`.make`."""
