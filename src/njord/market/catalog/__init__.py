"""The catalog: market data as Parquet files that say what they are, read lazily in bounded memory.

``<root>/<VENUE>/<symbol>/instrument.json`` and ``<root>/<VENUE>/<symbol>/<kind>[-interval]/<partition>.parquet``. A
partition is a UTC day of quotes, trades or book; a UTC year of everything else, since a day of hourly bars would be
a file of 24 rows.
"""

from njord.market.catalog.schema import CatalogError, Columns, DatasetId
from njord.market.catalog.store import Catalog, Dataset
from njord.market.catalog.writing import Writer

__all__ = ["Catalog", "CatalogError", "Columns", "Dataset", "DatasetId", "Writer"]
