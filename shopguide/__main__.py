"""`python -m shopguide`: the same as the command `shopguide`."""

from shopguide.cli.main import main

main()
