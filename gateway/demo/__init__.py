"""`lineside demo`: the simulated plant, its broker, the gateway and the board in one command."""

from gateway.demo.run import run_demo

__all__ = ["run_demo"]
