import { Command } from "cmdk";
import { Dialog } from "radix-ui";
import { useContext } from "react";
import { useNavigate } from "react-router";
import { giveBack } from "../ui/focus";
import { prefer, usePreferences } from "../ui/preferences";
import { short, useInstruments } from "../ui/session";
import { CancelAllContext } from "./CancelAll";
import { PLACES } from "./places";

export default function Palette(props: { onClose: () => void; onKeys: () => void }) {
  const go = useNavigate();
  const instruments = useInstruments();
  const cancelAll = useContext(CancelAllContext);
  const { theme, palette } = usePreferences();
  const then = (act: () => void) => () => {
    props.onClose();
    act();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && props.onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="palette" aria-describedby={undefined} onCloseAutoFocus={giveBack}>
          <Dialog.Title className="hidden-label">Search</Dialog.Title>
          <Command label="Search" loop>
            <Command.Input placeholder="Instrument, page or command" autoFocus />
            <Command.List>
              <Command.Empty>Nothing is called that.</Command.Empty>
              <Command.Group heading="Pages">
                {PLACES.map((place) => (
                  <Command.Item key={place.path} value={`page ${place.name}`} onSelect={then(() => void go(place.path))}>
                    {place.name} <kbd>{place.key}</kbd>
                  </Command.Item>
                ))}
              </Command.Group>
              <Command.Group heading="Commands">
                <Command.Item value="command theme light dark" onSelect={then(() => prefer({ theme: theme === "dark" ? "light" : "dark" }))}>
                  {theme === "dark" ? "Light theme" : "Dark theme"} <kbd>T</kbd>
                </Command.Item>
                <Command.Item value="command colour blind palette" onSelect={then(() => prefer({ palette: palette === "standard" ? "colour-blind" : "standard" }))}>
                  {palette === "standard" ? "Colour-blind-safe palette" : "Standard palette"}
                </Command.Item>
                <Command.Item value="command cancel all orders" onSelect={then(cancelAll)}>
                  Cancel all orders <kbd>X</kbd>
                </Command.Item>
                <Command.Item value="command keys shortcuts help" onSelect={then(props.onKeys)}>
                  Keys <kbd>?</kbd>
                </Command.Item>
                <Command.Item value="command yield curve" onSelect={then(() => void go("/market?view=curve"))}>
                  Yield curve
                </Command.Item>
                <Command.Item value="command new strategy add" onSelect={then(() => void go("/strategies?add=1"))}>
                  Add a strategy
                </Command.Item>
              </Command.Group>
              <Command.Group heading="Instruments">
                {instruments.map((each) => (
                  <Command.Item key={each.instrument_id} value={`${each.instrument_id} ${each.name}`} onSelect={then(() => void go(`/market?i=${encodeURIComponent(each.instrument_id)}`))}>
                    <span>{short(each.instrument_id)}</span>
                    <span className="muted">{each.name}</span>
                  </Command.Item>
                ))}
              </Command.Group>
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
