"""What an instructor keeps: reference answers, misconceptions, the solved notebook, and the generator of the exercises."""
