"""`python -m app.cli` is the console script."""

from app.cli import main

main()
