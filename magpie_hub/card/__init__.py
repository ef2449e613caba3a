"""The card: facts measured on the final Parquet, and the page that states them."""
