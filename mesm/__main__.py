"""Run the command `mesm` as `python -m mesm`."""

from mesm.cli import main

raise SystemExit(main())
