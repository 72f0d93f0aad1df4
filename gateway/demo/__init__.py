"""`lineside demo`: the simulated plant, its broker, the gateway and the board in one command."""

from gateway.demo.run import Stage, run_demo

__all__ = ["Stage", "run_demo"]
