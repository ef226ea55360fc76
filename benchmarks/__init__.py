"""Claims of speed, measured: what the package does beside the same work written the usual way.

Belongs here: one module a row of the table, with the slow side as people write it; the measuring;
the table and the plot. Does not: anything the package imports, and any timed test.

`make bench`, or `htrisk bench NAME` for one row, from a checkout.
"""
