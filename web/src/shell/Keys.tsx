import { KEYS } from "../ui/keys";
import { Modal } from "../ui/pieces";

export function KeyTable() {
  return (
    <>
      {KEYS.map(([where, keys]) => (
        <table key={where} className="keys" aria-label={`Keys: ${where}`}>
          <thead><tr><th className="key">{where}</th><th /></tr></thead>
          <tbody>{keys.map(([key, what]) => <tr key={key}><td className="key"><kbd>{key}</kbd></td><td>{what}</td></tr>)}</tbody>
        </table>
      ))}
    </>
  );
}

export default function Keys(props: { onClose: () => void }) {
  return <Modal title="Keys" open onClose={props.onClose}><KeyTable /></Modal>;
}
