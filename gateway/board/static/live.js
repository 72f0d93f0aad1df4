// The stream of snapshots: reconnects by itself and says when the gateway has gone silent.

const SILENT_MS = 5000;
const REOPEN_MS = 2000;

/** Calls onSnapshot for each snapshot, and onContact(true | false) when contact comes and goes. */
export function live(url, onSnapshot, onContact) {
  let heard = performance.now();
  let contact = null;
  let stream = null;

  const tell = (now) => {
    if (now === contact) return;
    contact = now;
    onContact(now);
  };
  const open = () => {
    stream = new EventSource(url);
    stream.addEventListener("snapshot", (event) => {
      heard = performance.now();
      onSnapshot(JSON.parse(event.data));
      tell(true);
    });
    // the browser retries lost connections, but gives up after an answer that is not a stream
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) setTimeout(open, REOPEN_MS);
    });
  };
  open();
  setInterval(() => {
    if (performance.now() - heard > SILENT_MS) tell(false);
  }, 500);
}
