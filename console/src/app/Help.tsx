/** What the keys do. */

import { Kbd, Modal } from "@mantine/core";
import { PAGES } from "./pages";

const EVERYWHERE: [string[], string][] = [
  [["Ctrl", "K"], "Go to a page, a lane, or an id"],
  [["?"], "This help"],
  [["r"], "Ask everything on screen anew"],
  [["p"], "Stop or start the live refresh"],
  [["t"], "Light or dark"],
];

const LISTS: [string[], string][] = [
  [["j"], "Next row"],
  [["k"], "Row before"],
  [["x"], "Mark the row; with Shift from the last mark to here"],
  [["Enter"], "Open the row"],
  [["/"], "To the search"],
  [["Esc"], "Take all marks away"],
];

function Keys({ title, rows }: { title: string; rows: [string[], string][] }) {
  return (
    <>
      <h3>{title}</h3>
      <table className="keys">
        <tbody>
          {rows.map(([keys, text]) => (
            <tr key={text}>
              <th scope="row">
                {keys.map((key) => (
                  <Kbd key={key}>{key}</Kbd>
                ))}
              </th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

export function Help({ opened, close }: { opened: boolean; close: () => void }) {
  const pages = PAGES.filter((page) => page.name && page.key).map((page): [string[], string] => [
    ["g", page.key ?? ""],
    page.name ?? "",
  ]);
  return (
    <Modal opened={opened} onClose={close} title="Keys" lockScroll={false} size="lg">
      <div className="help">
        <div>
          <Keys title="Everywhere" rows={EVERYWHERE} />
          <Keys title="In lists" rows={LISTS} />
        </div>
        <div>
          <Keys title="Go to" rows={pages} />
        </div>
      </div>
    </Modal>
  );
}
