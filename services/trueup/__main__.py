"""`python -m trueup` is the `trueup` command."""

from trueup.cli import main

main()
