# The work is done in siths_portal/dev/; see README.md.
TARGETS := run demo sandbox test check audit soak faults bench stop setup compose-setup compose-test

.PHONY: help $(TARGETS)

help:
	@printf 'make %s\n' $(TARGETS)

$(TARGETS):
	@sh siths_portal/dev/bootstrap.sh $@
