"""Buy a recovery from oversold below the middle band, sell the return from overbought above it."""

from njord.domain.market import Bar
from njord.market.indicators import BollingerBands, Rsi, Tema
from njord.strategies.port import Desk, Strategy


class RsiTemaBb(Strategy):
    """Long when RSI crosses above ``oversold`` while the TEMA rises below the middle Bollinger band; out when
    RSI crosses above ``overbought`` while the TEMA falls above it. Long only; each instrument by itself.
    """

    def __init__(
        self, rsi: int = 14, tema: int = 9, band: int = 20, width: float = 2.0, oversold: float = 30.0,
        overbought: float = 70.0, quantity: float = 1.0,
    ) -> None:  # fmt: skip
        if not 0 < oversold < overbought < 100:
            raise ValueError(f"oversold and overbought must be 0 < {oversold} < {overbought} < 100")
        self.periods, self.width = (rsi, tema, band), width
        self.oversold, self.overbought, self.quantity = oversold, overbought, quantity

    def on_start(self, desk: Desk) -> None:
        rsi, tema, band = self.periods
        self.studies = {name: (Rsi(rsi), Tema(tema), BollingerBands(band, self.width)) for name in desk.instruments}

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        name = bar.instrument_id
        rsi, tema, band = self.studies[name]
        rsi_before, tema_before = rsi.value, tema.value
        rsi_now, tema_now, middle = rsi.update(bar.close), tema.update(bar.close), band.update(bar.close)
        # Comparisons with a value that is not ready are false, so nothing happens before all three are
        if rsi_before <= self.oversold < rsi_now and tema_before < tema_now <= middle:
            desk.target(self.quantity, instrument=name)
        elif rsi_before <= self.overbought < rsi_now and middle < tema_now < tema_before:
            desk.target(0, instrument=name)
