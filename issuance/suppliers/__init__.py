"""The API of card suppliers: they fetch orders, request certificates and report events. Also the check of card certificates."""
