"""Buy a breakout and manage what is held as a campaign: partial exits, re-entries, a final exit."""

from njord.domain.ids import InstrumentId
from njord.domain.market import Bar
from njord.market.indicators import Atr, Donchian
from njord.strategies.campaign import Campaign, CampaignPlan, Move
from njord.strategies.port import Desk, Strategy


class BreakoutCampaign(Strategy):
    """Long above the highest high of ``lookback`` bars, then managed by a ``CampaignPlan`` in average true ranges."""

    def __init__(
        self, lookback: int = 50, atr: int = 20, quantity: float = 1.0, target: float = 4.0, pullback: float = 2.0,
        stop: float = 6.0, partial: float = 0.25, partials: int = 2, patience: float = 3.0,
    ) -> None:  # fmt: skip
        self.lookback, self.atr, self.quantity = lookback, atr, quantity
        self.plan = CampaignPlan(
            target=target, pullback=pullback, stop=stop, partial=partial, partials=partials, patience=patience
        )

    def on_start(self, desk: Desk) -> None:
        self.channels = {name: Donchian(self.lookback) for name in desk.instruments}
        self.ranges = {name: Atr(self.atr) for name in desk.instruments}
        self.running: dict[InstrumentId, Campaign] = {}

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        name = bar.instrument_id
        channel, ranges = self.channels[name], self.ranges[name]
        breaks = channel.ready and bar.close > channel.upper
        channel.update(bar.high, bar.low)
        volatility = ranges.update(bar.high, bar.low, bar.close)
        campaign = self.running.get(name)
        if campaign is not None:
            move = campaign.update(bar.close, volatility)
            if move is not Move.HOLD:
                desk.note(f"{move} after {campaign.bars} bars")
                desk.target(self.quantity * campaign.share, instrument=name)
            if campaign.share == 0:
                del self.running[name]
        elif breaks and ranges.ready and volatility > 0:
            self.running[name] = Campaign(self.plan, 1, bar.close, volatility)
            desk.target(self.quantity, instrument=name)
