"""``python -m cartpole_lab.cli``, which is what torchrun starts."""

import sys

from cartpole_lab.cli import main

sys.exit(main())
