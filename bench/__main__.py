"""`python -m bench`: every measurement, one after another."""

from bench.run_all import main

main()
