"""What a run is worth: statistics, doubts and the report. Nothing here decides or trades."""
