"""What an instructor keeps: one folder for each exercise, and what makes cases and notebooks from them."""
