"""The environment and the copies to work in; for maintainers notebooks without a front end, Colab's files, seeds."""
