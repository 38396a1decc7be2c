"""What maintainers run: the environment, notebooks without a front end, claims over seeds."""
