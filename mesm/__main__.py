"""`python -m mesm` is the command `mesm`."""

from mesm.cli import main

raise SystemExit(main())
