"""What the pages are made of: the only library code that imports streamlit."""

import os

# Read when torch is loaded, so it stands before everything that loads it. Threads that wait for work would otherwise
# spin, and with anything else running on the machine a slider took ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
