"""Articles, which of them an organisation may order, and the dated subscription fee."""
