"""One file per performance claim; each prints a table and can write JSON."""

import os

# As in the app (`mesm.ui`): torch's threads that wait for work would otherwise spin on the cores that the fused sparse
# convolution's own threads need. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
