"""`python -m gateway.board`: how the gateway starts its board."""

from gateway.board.server import main

raise SystemExit(main())
