"""The seeded generator of lending books: calibration, drawing, the market side, the book."""
