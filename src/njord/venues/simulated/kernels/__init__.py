"""The venue once more, compiled: arrays and numbers, equal to the readable one beside it."""
