"""`python -m gateway` is `lineside`."""

from gateway.cli import main

main()
