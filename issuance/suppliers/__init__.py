"""What card suppliers do through their API: pull orders, request certificates, report; and the check of card certificates."""
