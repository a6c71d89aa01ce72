"""What a stack and its runs cost: counted units, multiplied by list prices.

`counts` holds what was counted, `prices` the list prices, and `table` turns both into the table of docs/operations.md.
"""
