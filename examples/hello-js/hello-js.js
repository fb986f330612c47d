// Answers like any fetch-style service: an event with a Request, a Response in return.
const text = (body, status = 200) => new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });

/** @param {Request} request */
function answer(request) {
  const { pathname } = new URL(request.url);
  if (pathname === '/') return text('hello from hello-js 1\n');
  const name = /^\/hello\/([^/]+)$/.exec(pathname)?.[1];
  if (name !== undefined) {
    // What a component writes is found by: curl …/v1/apps/hello-js/logs
    console.log(`greeted ${decodeURIComponent(name)}`);
    return text(`hello, ${decodeURIComponent(name)}\n`);
  }
  if (pathname === '/headers') return Response.json(Object.fromEntries(request.headers));
  // The body goes back as it comes in, chunk by chunk.
  if (pathname === '/echo') return new Response(request.body, { headers: { 'content-type': request.headers.get('content-type') ?? 'application/octet-stream' } });
  return text('not found\n', 404);
}

addEventListener('fetch', (event) => event.respondWith(answer(event.request)));
