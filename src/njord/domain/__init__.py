"""The words: instruments, market events, orders, fills, commands. Values only; nothing here acts."""
