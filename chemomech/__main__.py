"""`python -m chemomech` is the command line."""

from chemomech.cli import main

main()
