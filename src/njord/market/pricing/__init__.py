"""What things are worth: options, curves, bonds, swaps, futures. Pure functions of arrays, in float64.

Rates, yields and volatilities are fractions a year, times are years, prices are in units of the quote currency.
"""
