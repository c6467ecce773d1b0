"""The PKI's commands for operators at the command line. They call the packages and check no permission themselves."""
