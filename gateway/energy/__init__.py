"""Electricity as the supplier sees it: demand, load factor, power factor, the bill by hours, warnings of a new peak."""
