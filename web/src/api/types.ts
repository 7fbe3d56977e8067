import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type Instrument = Schemas["InstrumentOut"];
export type Quote = Schemas["QuoteOut"];
export type Depth = Schemas["DepthOut"];
export type Trade = Schemas["TradeOut"];
export type Candle = Schemas["CandleOut"];
export type DealerQuote = Schemas["DealerQuoteOut"];
export type Option = Schemas["OptionOut"];
export type Curve = Schemas["CurveOut"];
export type TicketIn = Schemas["TicketIn"];
export type Order = Schemas["OrderOut"];
export type Placed = Schemas["PlacedOut"];
export type Fill = Schemas["FillOut"];
export type Position = Schemas["PositionOut"];
export type Portfolio = Schemas["PortfolioOut"];
export type Nav = Schemas["NavOut"];
export type StrategyKind = Schemas["StrategyKindOut"];
export type Param = Schemas["ParamOut"];
export type Strategy = Schemas["StrategyOut"];
export type StrategyIn = Schemas["StrategyIn"];
export type Note = Schemas["NoteOut"];
export type Risk = Schemas["RiskOut"];
export type AccountRisk = Schemas["AccountRiskOut"];
export type Profile = Schemas["ProfileOut"];
export type ProfileChange = Schemas["ProfileChangeOut"];
export type ProfileChanged = Schemas["ProfileChangedOut"];
export type Scenario = Schemas["ScenarioOut"];
export type Health = Schemas["HealthOut"];
export type Why = Schemas["WhyOut"];
export type Timeline = Schemas["TimelineOut"];
export type AuditSession = Schemas["AuditSessionOut"];
export type Verified = Schemas["VerifyOut"];
export type WebSession = Schemas["SessionOut"];

export type QuoteMessage = Schemas["QuoteMessage"];
export type TradeMessage = Schemas["TradeMessage"];
export type StreamMessage =
  | QuoteMessage
  | TradeMessage
  | Schemas["DepthMessage"]
  | Schemas["DealersMessage"]
  | Schemas["OrderMessage"]
  | Schemas["FillMessage"]
  | Schemas["PortfolioMessage"]
  | Schemas["StatusMessage"]
  | Schemas["ResyncMessage"]
  | Schemas["ErrorMessage"];
export type StreamRequest = Schemas["StreamRequest"];

export type Backtest = Schemas["BacktestOut"];
