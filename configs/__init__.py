"""Shipped configuration: profiles, packs and examples, found through `gateway.library`."""
