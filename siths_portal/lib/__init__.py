"""What every application may use, in a package for each subject. Imports none of the applications."""
