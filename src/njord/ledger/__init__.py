"""What happened to our money: balanced entries, FIFO lots, the portfolio computed from them, and the journal."""
