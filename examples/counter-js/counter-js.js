// Counters in a key-value store, a greeting from a variable, a page from a file of the bundle.
import { Store } from 'fermyon:spin/key-value@2.0.0';
import { get as variable } from 'fermyon:spin/variables@2.0.0';
import { getDirectories } from 'wasi:filesystem/preopens@0.2.3';

/** @param {Request} request */
function answer(request) {
  // The route is /count/:name; what matched comes in a header.
  const name = request.headers.get('spin-path-match-name');
  if (name === null) return page('assets/index.html');
  if (request.method !== 'GET' && request.method !== 'POST') return new Response('use GET or POST\n', { status: 405, headers: { allow: 'GET, POST' } });
  return Response.json({ greeting: variable('greeting'), name, count: count(name, request.method === 'POST' ? 1 : 0) });
}

/** Two requests at once may read the same number: a counter that must not miss one needs a database that counts. */
function count(name, step) {
  const store = Store.open('default');
  const bytes = store.get(name);
  const value = Number(bytes ? new TextDecoder().decode(bytes) : 0) + step;
  if (step > 0) store.set(name, new TextEncoder().encode(String(value)));
  return value;
}

function page(path) {
  const [[root]] = getDirectories();
  const file = root.openAt({}, path, {}, { read: true });
  const [bytes] = file.read(file.stat().size, 0n);
  return new Response(bytes, { headers: { 'content-type': 'text/html; charset=utf-8' } });
}

addEventListener('fetch', (event) => event.respondWith(answer(event.request)));
