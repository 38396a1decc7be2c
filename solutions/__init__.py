"""What an instructor keeps: reference answers, misconceptions, solved notebook, generator of the exercises."""
