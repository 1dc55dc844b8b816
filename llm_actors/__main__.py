"""`python -m llm_actors`."""

import sys

from .command import main

sys.exit(main())
