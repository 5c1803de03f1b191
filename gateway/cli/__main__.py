"""`python -m gateway.cli` is `flagstone`."""

from gateway.cli.main import main

main()
