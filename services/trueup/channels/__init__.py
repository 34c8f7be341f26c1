"""Where an alert is delivered: one file each, with its own configuration."""
