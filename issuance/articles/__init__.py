"""Articles, the articles that an organisation may order, and the dated subscription fee."""
