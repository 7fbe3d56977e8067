"""Published results done again: the paper's own set-up, and its numbers beside ours and beside exact ones."""
